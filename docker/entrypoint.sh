#!/bin/sh
# `repath` in the image. Files that it writes to a mounted workspace belong to the workspace's owner, signals reach
# it, and the container exits with its code.
set -eu

program=/opt/venv/bin/repath

# Started as root, where some systems start every container, and with a workspace that belongs to someone else: go on
# as that user. In a container whose root is the caller (rootless engines) the workspace is root's, and root stays.
if [ "$(id -u)" = 0 ]; then
  owner=$(stat -c %u .)
  group=$(stat -c %g .)
  if [ "$owner" != 0 ]; then
    set -- setpriv --reuid "$owner" --regid "$group" --clear-groups --no-new-privs -- "$program" "$@"
  else
    set -- "$program" "$@"
  fi
else
  set -- "$program" "$@"
fi

# A home on a read-only root serves nobody.
[ -w "${HOME:-}" ] || export HOME=/tmp

# Engines that ignore a request for GPUs are found out here, before work is begun.
if [ -n "${REPATH_GPUS:-}" ]; then
  /opt/venv/bin/python -m pipeline.image.gpus "$REPATH_GPUS"
fi

# tini is process 1: it passes signals on and reaps what data loaders leave behind. -s: an engine may run its own init.
exec tini -s -g -- "$@"
