#!/bin/sh
# Step 1: write the figures of this machine as the kernel tells them into DIRECTORY/collected.
set -eu

collected=${1:?usage: 10_collect.sh DIRECTORY}/collected
rm -rf -- "$collected"
mkdir -- "$collected"
date -u +%Y-%m-%dT%H:%M:%SZ >"$collected/at"
uname -n >"$collected/host"
cat /proc/loadavg >"$collected/load"
cat /proc/uptime >"$collected/uptime"
cat /proc/meminfo >"$collected/memory"
df -P / >"$collected/disk"
echo "collected $(ls "$collected" | wc -l) files"
