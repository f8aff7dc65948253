"""Reports of many frameworks, read as their frameworks meant them.

The numbers were written down from reading the files, not from running the reader. The files are not part of this
repository: they lie in `shared/data/junit` beside the checkout, and without them there is nothing to test here.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from flakeguard.reports.summary import summarise

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "junit"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared reports do not lie beside this checkout")


class Meant(NamedTuple):
    """What a file holds; `warning` is a part of the only warning, if one is due."""

    suites: int
    cases: int
    attempts: int
    passed: int
    failed: int
    errors: int
    skipped: int
    warning: str | None = None


REPORTS = {
    "jenkins/27449.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/27540.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/29734.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    # One name in two classes: two test cases.
    "jenkins/JENKINS-30413.xml": Meant(1, 2, 2, 1, 1, 0, 0),
    "jenkins/TEST-com.sample.test.TestMessage.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/TEST-com.sample.test.TestMessage2.xml": Meant(1, 2, 2, 2, 0, 0, 0),
    # Surefire: the failure, then three reruns that failed too.
    "jenkins/TEST-io.olamy.AlwaysFailTest.xml": Meant(1, 1, 4, 0, 1, 0, 0),
    # Surefire: two attempts that failed, then a pass.
    "jenkins/TEST-io.olamy.FlakyTest.xml": Meant(1, 1, 3, 1, 0, 0, 0),
    # Sections of CDATA inside a comment are no part of it.
    "jenkins/TEST-null.xml": Meant(1, 1, 1, 0, 0, 1, 0),
    "jenkins/TESTS-TestSuites.xml": Meant(2, 3, 3, 3, 0, 0, 0),
    "jenkins/TestSuite_a1.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/TestSuite_a2.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/TestSuite_b.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/TestSuite_b_duplicate.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/TestSuite_b_nonduplicate.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/TestSuite_first.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/TestSuite_second.xml": Meant(1, 1, 1, 0, 1, 0, 0),
    "jenkins/TestSuite_second_dup_first.xml": Meant(1, 1, 1, 0, 1, 0, 0),
    "jenkins/afterSkippedResult.xml": Meant(1, 1, 1, 0, 0, 1, 0),
    "jenkins/ageReset-1.xml": Meant(1, 1, 1, 0, 1, 0, 0),
    "jenkins/ageReset-2.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    # Its suites declare 3,366 tests, no failure and no error.
    "jenkins/eclipse-plugin-test-report.xml": Meant(16, 3366, 3366, 3366, 0, 0, 0),
    "jenkins/junit-report-1.xml": Meant(2, 3, 3, 3, 0, 0, 0),
    "jenkins/junit-report-1233.xml": Meant(1, 5, 5, 5, 0, 0, 0),
    "jenkins/junit-report-1463.xml": Meant(1, 6, 6, 6, 0, 0, 0),
    # Its own summary at the end: "Files=149, Tests=2653", "Failed test: 4" once. Output of other programs in it
    # contains tags that are none of the report's.
    "jenkins/junit-report-1472.xml": Meant(108, 2653, 2653, 2652, 1, 0, 0),
    "jenkins/junit-report-2.xml": Meant(2, 3, 3, 3, 0, 0, 0),
    "jenkins/junit-report-20090516.xml": Meant(1, 8, 8, 5, 0, 3, 0),
    "jenkins/junit-report-2874.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/junit-report-494.xml": Meant(1, 2, 2, 1, 1, 0, 0),
    # The class could not be loaded: the suite declares one test and one error, which is its own.
    "jenkins/junit-report-6700.xml": Meant(1, 1, 1, 0, 0, 1, 0),
    # One case twice, the first with a negative time.
    "jenkins/junit-report-bad-duration.xml": Meant(1, 1, 2, 1, 0, 0, 0, "'-345345' is no usable number"),
    # @BeforeAll failed: the case has no name.
    "jenkins/junit-report-empty-testcasename.xml": Meant(1, 1, 1, 0, 1, 0, 0),
    "jenkins/junit-report-errror-details.xml": Meant(1, 1, 1, 0, 0, 1, 0),
    # 7,580 cases: 2,430 disabled, 19 failed. One of those has three reruns; one other has two flaky failures.
    "jenkins/junit-report-huge.xml": Meant(1, 7580, 7585, 5131, 19, 0, 2430, "is no usable number of seconds"),
    # Three levels; the innermost suite failed as a whole.
    "jenkins/junit-report-nested-testsuites.xml": Meant(4, 3, 3, 2, 0, 1, 0),
    "jenkins/junit-report-testTrends-first-1.xml": Meant(1, 8, 8, 8, 0, 0, 0),
    "jenkins/junit-report-testTrends-first-2.xml": Meant(1, 8, 8, 5, 0, 3, 0),
    "jenkins/junit-report-testTrends-first-3.xml": Meant(1, 8, 8, 5, 0, 3, 0),
    "jenkins/junit-report-testTrends-second-1.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/junit-report-testTrends-second-2.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/junit-report-testTrends-second-3.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "jenkins/junit-report-testsuite-time-attrs.xml": Meant(4, 8, 8, 8, 0, 0, 0),
    "jenkins/junit-report-testsuite-various-timestamps.xml": Meant(9, 12, 12, 12, 0, 0, 0),
    # Two suites of one name with different cases.
    "jenkins/junit-report-time-aggregation.xml": Meant(2, 3, 3, 3, 0, 0, 0),
    "jenkins/junit-report-time-aggregation2.xml": Meant(2, 3, 3, 3, 0, 0, 0),
    "jenkins/junit-report-with-properties.xml": Meant(1, 2, 2, 1, 1, 0, 0),
    "jenkins/skippedTestResult.xml": Meant(1, 1, 1, 0, 0, 0, 1),
    "mikepenz/catch2_report.xml": Meant(1, 1, 1, 0, 1, 0, 0),
    # Its times are nanoseconds: 999,638,317 seconds would be 31 years.
    "mikepenz/container-structure_test.xml": Meant(1, 3, 3, 3, 0, 0, 0, "is no usable number of seconds"),
    # It breaks off in the output of a case whose failure is complete.
    "mikepenz/corrupt-junit_e2e-tests_corrupt_target_sf-reports_TEST-test.CorruptTest.xml": Meant(
        1, 1, 1, 0, 1, 0, 0, "ends too early"
    ),
    "mikepenz/cunit_testEmpty.xml": Meant(0, 0, 0, 0, 0, 0, 0),
    "mikepenz/cunit_testFailure.xml": Meant(1, 4, 4, 3, 1, 0, 0),
    "mikepenz/flaky_retries_flaky_all_failures.xml": Meant(1, 1, 3, 0, 0, 1, 0),
    "mikepenz/flaky_retries_flaky_success_first.xml": Meant(1, 1, 3, 0, 0, 1, 0),
    "mikepenz/flaky_retries_flaky_with_classname_file.xml": Meant(1, 3, 5, 3, 0, 0, 0),
    # Ten of 22 are disabled; the rest as their failures, errors and statuses say.
    "mikepenz/issues_testDisabled.xml": Meant(1, 22, 22, 6, 4, 2, 10),
    # Disabled, though it holds a failure: the framework did not count it.
    "mikepenz/issues_testFailedDisabled.xml": Meant(1, 1, 1, 0, 0, 0, 1),
    # gotestsum: TestWebSocketReconnectRace failed and passed when it was run again.
    "mikepenz/junit-server-test_report.xml": Meant(1, 3, 4, 2, 0, 0, 1),
    # A bare "<" in an attribute, which XML does not allow.
    "mikepenz/junit-web-test_expected.xml": Meant(2, 6, 6, 4, 1, 0, 1, "damaged XML"),
    # "retried flaky test": failed, then passed.
    "mikepenz/junit-web-test_expectedRetries.xml": Meant(2, 7, 8, 5, 1, 0, 1, "damaged XML"),
    "mikepenz/junit_flaky_failure_marathon_junit_report.xml": Meant(1, 1, 2, 1, 0, 0, 0),
    "mikepenz/junit_flaky_failure_mixed_flaky_and_passed.xml": Meant(1, 3, 4, 3, 0, 0, 0),
    "mikepenz/marathon_tests_com.mikepenz.DummyTest#test_02_dummy.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "mikepenz/marathon_tests_com.mikepenz.DummyTest3#test_01.xml": Meant(1, 1, 1, 0, 1, 0, 0),
    "mikepenz/marathon_tests_com.mikepenz.DummyUtilTest#test_01_dummy.xml": Meant(1, 1, 1, 0, 1, 0, 0),
    "mikepenz/maven_surefire_flaky_surefire-report.xml": Meant(1, 1, 2, 1, 0, 0, 0),
    "mikepenz/mocha_mocha.xml": Meant(3, 1, 1, 1, 0, 0, 0),
    # Two errors: one erred. A failure, then an error: the failure came first.
    "mikepenz/multiple_failures_test_multiple_errors.xml": Meant(1, 3, 3, 1, 1, 1, 0),
    # Three failures of one execution are one attempt.
    "mikepenz/multiple_failures_test_multiple_failures.xml": Meant(1, 4, 4, 1, 2, 0, 1),
    "mikepenz/multiple_test_10.xml": Meant(1, 3, 3, 3, 0, 0, 0, "is no usable number of seconds"),
    "mikepenz/multiple_test_11.xml": Meant(1, 3, 3, 2, 1, 0, 0, "is no usable number of seconds"),
    "mikepenz/multiple_test_12.xml": Meant(1, 3, 3, 2, 0, 0, 1, "is no usable number of seconds"),
    # A and B in three nested suites: five test cases.
    "mikepenz/nested_junit.xml": Meant(5, 5, 5, 2, 3, 0, 0),
    "mikepenz/nested_multi-level.xml": Meant(2, 3, 3, 3, 0, 0, 0),
    "mikepenz/nextest_basic.xml": Meant(1, 3, 3, 2, 1, 0, 0),
    "mikepenz/perl_result.xml": Meant(1, 1, 1, 1, 0, 0, 0),
    "mikepenz/python_report.xml": Meant(1, 3, 3, 1, 2, 0, 0),
    "mikepenz/python_report_flaky.xml": Meant(1, 4, 4, 2, 2, 0, 0),
    "mikepenz/tests_email_target_surefire-reports_TEST-action.surefire.report.email.EmailAddressTest.xml": Meant(
        1, 9, 9, 2, 2, 5, 0
    ),
    "mikepenz/tests_utils_target_surefire-reports_TEST-action.surefire.report.calc.AllOkTest.xml": Meant(
        1, 1, 1, 1, 0, 0, 0
    ),
    "mikepenz/tests_utils_target_surefire-reports_TEST-action.surefire.report.calc.CalcUtilsTest.xml": Meant(
        1, 2, 2, 0, 2, 0, 0
    ),
    "mikepenz/tests_utils_target_surefire-reports_TEST-action.surefire.report.calc.StringUtilsTest.xml": Meant(
        1, 5, 5, 2, 2, 0, 1
    ),
    "mikepenz/xunit_report.xml": Meant(1, 4, 4, 3, 1, 0, 0),
    "mikepenz/xunit_report_fl_on_f.xml": Meant(1, 4, 4, 3, 1, 0, 0),
}

NO_REPORTS = {
    # Jenkins' own record of a build, in a format of its own.
    "jenkins/junitResult.xml": "not_a_report",
    "jenkins/testXxe-oob.xml": "forbidden_entities",
    "jenkins/testXxe-xxe.xml": "forbidden_entities",
    "mikepenz/tests_email_pom.xml": "not_a_report",
    "mikepenz/tests_pom.xml": "not_a_report",
    "mikepenz/tests_utils_pom.xml": "not_a_report",
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_read_as_it_was_meant(name: str):
    meant = REPORTS[name]
    with (FOLDER / name).open("rb") as stream:
        read = summarise(name, stream)

    numbers = (read.suites, read.cases, read.attempts, read.passed, read.failed, read.errors, read.skipped)
    assert read.error is None
    assert numbers == meant[:7]
    assert bool(read.warnings) is bool(meant.warning)
    assert meant.warning is None or meant.warning in " ".join(read.warnings)


@pytest.mark.parametrize("name", NO_REPORTS)
def test_what_is_no_report_says_so(name: str):
    with (FOLDER / name).open("rb") as stream:
        read = summarise(name, stream)

    assert read.error is not None
    assert read.error.startswith(NO_REPORTS[name])
    assert read.cases == 0


def test_every_file_is_in_these_tables():
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.xml")}

    assert files == REPORTS.keys() | NO_REPORTS.keys()
