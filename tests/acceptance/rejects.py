"""The rejects file and the report that lie beside a converted dataset.

Only what the acceptance test needs: which records were set aside, and whether the counts add up.
"""

import json
from pathlib import Path


def beside(dataset, ending):
    """OUT.lance -> OUT<ending>."""
    path = Path(dataset)
    return path.with_name(path.name.removesuffix(".lance") + ending)


class Rejects:
    """The set-aside records, found again by shard and line or number."""

    def __init__(self, dataset):
        self.wanted, self.met = {}, set()
        path = beside(dataset, ".rejects.jsonl")
        if path.exists():
            for text in path.read_text(encoding="utf-8").splitlines():
                reject = json.loads(text)
                shard = Path(reject["shard"]).name
                place = ("line", reject["line"]) if reject.get("line") else ("record", reject.get("record"))
                self.wanted[(shard, *place)] = reject

    def holds(self, source):
        for key in ((source.shard, "line", source.line), (source.shard, "record", source.record)):
            if key in self.wanted:
                self.met.add(key)
                return True
        return False

    def unmet(self):
        return [key for key in self.wanted if key not in self.met]


def check_report(report, dataset, read, rows):
    path = beside(dataset, ".report.json")
    if not report.expect(path.exists(), f"{path.name} is not there"):
        return
    facts = json.loads(path.read_text(encoding="utf-8"))
    report.equal(facts["read"], read, "read")
    report.equal(facts["written"], rows.members, "written")
    report.equal(facts["read"], facts["written"] + facts["rejected"] + facts["deduplicated"], "read = written + rejected + deduplicated")
    report.equal(facts["without_vector"], rows.without_vector, "without_vector")
    if isinstance(facts.get("headers"), int):
        report.equal(facts["headers"], len(rows.headers), "headers")
    report.equal(sum(facts.get("rejects_by_code", {}).values()), facts["rejected"], "rejects_by_code adds up to rejected")
