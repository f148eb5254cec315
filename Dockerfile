# The broker and nothing else: a Node binary, the C libraries it links to, dist/. No shell, no package manager, no node_modules.
#
#   docker build -t cartesia-broker .
#
# One base image, pinned by digest. This digest was published for the tag on 19 September 2026:
# https://github.com/docker-library/repo-info/blob/master/repos/node/remote/24.21.0-bookworm-slim.md
# The build fails unless the registry serves exactly these bytes. To move to a newer one:
#   docker buildx imagetools inspect node:24-bookworm-slim --format '{{.Manifest.Digest}}'
ARG NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6

# --- build: dist/ and its V8 compile cache
FROM ${NODE_IMAGE} AS build
WORKDIR /app
# Packages must not run their own scripts here.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY src ./src
COPY scripts ./scripts
COPY docs/openapi.json ./docs/
RUN node scripts/build.ts
# Node's cache is specific to the user and the path, so it is made by the user, and at the path, of the final image.
RUN mkdir compile-cache && chown 65532:65532 compile-cache
USER 65532:65532
RUN node scripts/warm-up.ts /app/compile-cache && chmod -R a=rX compile-cache

# --- runtime: the files that the Node binary needs, at the paths where it looks for them
FROM ${NODE_IMAGE} AS runtime
COPY scripts/image-root.sh /
RUN sh /image-root.sh /root-of-image

# --- the image
FROM scratch
COPY --from=runtime /root-of-image /
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/dist ./dist
COPY --from=build --chown=0:0 /app/compile-cache ./compile-cache
ENV PATH=/usr/local/bin \
    NODE_COMPILE_CACHE=/app/compile-cache \
    HOST=0.0.0.0
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "/app/dist/main.js", "healthcheck"]
# By default V8 lets 48 MB of short-lived garbage accumulate before it collects. A third of that has no measurable CPU cost and halves the
# memory of a busy replica.
ENTRYPOINT ["node", "--disable-sigusr1", "--max-semi-space-size=8", "/app/dist/main.js"]
CMD ["serve"]
LABEL org.opencontainers.image.title="cartesia-broker" \
      org.opencontainers.image.description="Keeps your Cartesia API key and hands out short-lived access tokens to your app's users" \
      org.opencontainers.image.licenses="MIT"
