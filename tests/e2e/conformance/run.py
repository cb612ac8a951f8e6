"""The cases of the Autobahn test suite against the link that /v1/stream/ws uses.

kosoku drives them: the suite's own runner knows Python 2 alone. Sections 1 to 7, 9 and 10 (framing, pings, reserved
bits, opcodes, fragments, UTF-8, close handling, limits, fragmentation by the sender), and with permessage-deflate
switched on some of 12 and 13: all of them take many minutes, and the first two of each group kosoku cannot build. A
section that did not run is a failure, and so is a case that is not OK, "non-strict" (it may fail a message later than
at the earliest byte) or informational.
"""

import asyncio
import os
import subprocess
import unittest
from collections import Counter

from kosoku import FailureError, run_fuzzingclient

ECHO = os.environ["WEBSOCKET_ECHO"]


def run(cases, *options):
    """The results of these cases."""
    with subprocess.Popen([ECHO, *options], stdout=subprocess.PIPE, text=True) as echo:
        try:
            address = f"ws://127.0.0.1:{int(echo.stdout.readline())}"
            return asyncio.run(run_cases(address, cases))
        finally:
            echo.kill()


async def run_cases(address, cases):
    try:
        return await run_fuzzingclient(address, cases, None, concurrency=2)
    except FailureError as failure:
        return failure.results


class Autobahn(unittest.TestCase):
    def check(self, cases, *options):
        results = run(cases, *options)
        passed = Counter()
        for result in results:
            with self.subTest(case=result.case_id, expectation=result.expectation):
                self.assertTrue(result.passed, f"{result.behavior.value} ({result.result}), "
                                               f"close: {result.behavior_close.value} ({result.result_close})")
                passed[result.case_id.split(".")[0]] += 1
        for section in sorted({case.split(".")[0] for case in cases}, key=int):
            self.assertGreater(passed[section], 0, f"no case of section {section} has run")
            print(f"section {section}: {passed[section]} cases passed")
        lax = [result.case_id for result in results if result.behavior.value == "NON-STRICT"]
        print("non-strict:", ", ".join(lax) or "none")

    def test_messages_as_they_are(self):
        self.check([f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 9, 10)])

    def test_messages_compressed(self):
        self.check([f"{group}.{case}" for group in ("12.1", "12.2", "13.1", "13.3") for case in (3, 4, 5)],
                   "--deflate")


if __name__ == "__main__":
    unittest.main()
