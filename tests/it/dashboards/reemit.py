"""Reads each dashboard into the classes of Grafana's own schema, writes it again, and prints every
value that did not come back: a key that this Grafana does not know."""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def leaves(value, path):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}/{index}")
    else:
        yield path, value


register_default_plugins()
for file in sys.argv[1:]:
    with open(file) as stream:
        given = json.load(stream)
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))
    known = dict(leaves(again, ""))
    count = 0
    for path, value in leaves(given, ""):
        count += 1
        if path not in known or known[path] != value:
            print(f"{file}: {path} is {value!r}, came back as {known.get(path)!r}")
    print(f"{count} values")
