#!/usr/bin/env bash
# vmware-exporter 0.18.4, which Prometheus scrapes for vSphere, does not name `requests` among its
# requirements and imports it at its start: installed as its package says, it ends at once.
#
# Seen with Python 3.11: "ModuleNotFoundError: No module named 'requests'". Install `requests` beside it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet vmware-exporter==0.18.4 2>/dev/null
if "$folder/venv/bin/vmware_exporter" --help >"$folder/said" 2>&1; then
    echo "it begins: the requirement was added"
    exit 1
fi
tail -n 1 "$folder/said" | tee "$folder/seen"
grep -qx "ModuleNotFoundError: No module named 'requests'" "$folder/seen"
