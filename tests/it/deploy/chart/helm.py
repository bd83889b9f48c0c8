"""Does with a chart what Helm would do, by Helm's own library.

Reads {"chart": FOLDER, "name": RELEASE, "namespace": NAMESPACE, "cases": [VALUES, ...]}, and prints for
each case what `helm template` and `helm lint --strict` make of these values:
{"manifests": {TEMPLATE: TEXT}} or {"error": TEXT}, and "lint": [[SEVERITY, TEXT], ...] where
"lint": true is asked for.
"""

import json
import sys

from helm_python import Chart
from helm_python import HelmError
from helm_python.chart import lint


def answer(chart, asked, values):
    try:
        found = chart.render(values, name=asked["name"], namespace=asked["namespace"])
        told = {"manifests": found}
    except HelmError as error:
        told = {"error": str(error)}
    if asked["lint"]:
        report = lint(asked["chart"], values, strict=True, namespace=asked["namespace"])
        messages = [[it["severity"], f"{it['path']}: {it['error']}"] for it in report["messages"]]
        told["lint"] = messages + [[3, error] for error in report["errors"]]
    return told


asked = json.load(sys.stdin)
with Chart.load(asked["chart"]) as chart:
    json.dump([answer(chart, asked, values) for values in asked["cases"]], sys.stdout)
