#!/bin/sh
# Makes the secrets that docker-compose.yml hands to the broker: your Cartesia API key and an app key for your backend.
#
#   sh deploy/make-secrets.sh                              asks for the API key
#   CARTESIA_API_KEY=sk_car_... sh deploy/make-secrets.sh  does not
#
# What is there already is kept: delete a file of secrets/ to have it made anew. A container that runs keeps the file that was deleted:
# recreate it (docker compose up -d --force-recreate broker). A new key that is written into the old file is taken up without that.
set -eu
cd "$(dirname "$0")/.."

sha256() { if command -v sha256sum > /dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1; }

# The folder is closed to other users of this machine. The files are not, because the broker is another user in its container, and
# gets at them without passing through the folder.
mkdir -p secrets
chmod 700 secrets
umask 022

if [ ! -e secrets/cartesia_api_key ]; then
  if [ -z "${CARTESIA_API_KEY:-}" ]; then
    [ -t 0 ] || { echo 'Set CARTESIA_API_KEY, or run this at a terminal.' >&2; exit 1; }
    printf 'Cartesia API key (not shown): '
    trap 'stty echo' EXIT
    trap 'exit 130' INT TERM HUP # not every shell counts a signal as an exit
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
  # As `cartesia-broker key` makes them: 256 random bits, of which the broker only learns the SHA-256.
  app_key="cb_$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')"
  printf 'backend=sha256:%s\n' "$(printf '%s' "$app_key" | sha256)" > secrets/client_keys
  echo 'secrets/client_keys: made'
  echo
  echo 'App key of the client app backend. It is shown only once: keep it like a password.'
  echo
  echo "  $app_key"
fi
