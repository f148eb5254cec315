# The broker, and nothing else: a Node binary, the C libraries it asks for, dist/. No shell, no package manager, no node_modules.
#
#   docker build -t cartesia-broker .
#
# One base image, pinned by digest. This one was published for the tag on 19 September 2026:
# https://github.com/docker-library/repo-info/blob/master/repos/node/remote/24.21.0-bookworm-slim.md
# A registry either serves exactly these bytes or the build fails. To move on to a newer one:
#   docker buildx imagetools inspect node:24-bookworm-slim --format '{{.Manifest.Digest}}'
ARG NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6

# --- build: dist/, and V8's compile cache of it
FROM ${NODE_IMAGE} AS build
WORKDIR /app
# No package gets to run a script of its own here.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY src ./src
COPY scripts ./scripts
COPY docs/openapi.json ./docs/
RUN node scripts/build.ts
# Made by the user that runs later, at the path where the files lie later: Node keeps its cache by both.
RUN mkdir compile-cache && chown 65532:65532 compile-cache
USER 65532:65532
RUN node scripts/warm-up.ts /app/compile-cache && chmod -R a=rX compile-cache

# --- runtime: the files that a Node binary needs, in the places where it looks for them
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
# Left alone, V8 lets 48 MB of short-lived garbage stand before it looks. A third of that costs no CPU that can be measured, and halves
# the memory of a busy replica; docs/performance.md has the figures.
ENTRYPOINT ["node", "--disable-sigusr1", "--max-semi-space-size=8", "/app/dist/main.js"]
CMD ["serve"]
LABEL org.opencontainers.image.title="cartesia-broker" \
      org.opencontainers.image.description="Keeps your Cartesia API key and hands out short-lived access tokens to your app's users" \
      org.opencontainers.image.licenses="MIT"
