#!/bin/sh
# Creates the secrets that docker-compose.yml passes to the broker: your Cartesia API key and an app key for your backend.
#
#   sh deploy/make-secrets.sh                              asks for the API key
#   CARTESIA_API_KEY=sk_car_... sh deploy/make-secrets.sh  does not
#
# Existing files are kept: delete a file in secrets/ to have it created again. A running container keeps using the deleted file until it is
# recreated (docker compose up -d --force-recreate broker). A new key written into the existing file is used without that.
set -eu
cd "$(dirname "$0")/.."

sha256() { if command -v sha256sum > /dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1; }

# Other users of this machine cannot enter the folder. The files are readable, because the broker runs as another user in its container, where
# the files are mounted without the folder.
mkdir -p secrets
chmod 700 secrets
umask 022

if [ ! -e secrets/cartesia_api_key ]; then
  if [ -z "${CARTESIA_API_KEY:-}" ]; then
    [ -t 0 ] || { echo 'Set CARTESIA_API_KEY, or run this at a terminal.' >&2; exit 1; }
    printf 'Cartesia API key (not shown): '
    trap 'stty echo' EXIT
    trap 'exit 130' INT TERM HUP # not every shell runs the EXIT trap on a signal
    stty -echo
    read -r CARTESIA_API_KEY
    stty echo
    trap - EXIT INT TERM HUP
    echo
  fi
  [ -n "$CARTESIA_API_KEY" ] || { echo 'No key, nothing done.' >&2; exit 1; }
  printf '%s\n' "$CARTESIA_API_KEY" > secrets/cartesia_api_key
  echo 'secrets/cartesia_api_key: made'
fi

if [ ! -e secrets/client_keys ]; then
  # As made by `cartesia-broker key`: 256 random bits, of which the broker only gets the SHA-256.
  app_key="cb_$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')"
  printf 'backend=sha256:%s\n' "$(printf '%s' "$app_key" | sha256)" > secrets/client_keys
  echo 'secrets/client_keys: made'
  echo
  echo 'App key of the client app backend. It is shown only once: keep it like a password.'
  echo
  echo "  $app_key"
fi
