"""The tests that may pass over stock and not over the pool, and why.

All of them are of `TestAWSQueryConnection`'s family, which has HTTPretty put its own objects in the
place of Python's sockets for as long as a test runs. The pool's sockets are curl's, so its requests
arrive where they are sent, and there nothing is prepared for them.
"""

FAMILY = "tests.unit.test_connection."

PATCHES_SOCKETS = "patches Python's sockets: HTTPretty answers, which curl does not meet"

EXCUSED = {
    f"{FAMILY}TestAWSQueryConnectionSimple.test_alternate_port": PATCHES_SOCKETS,
    f"{FAMILY}TestAWSQueryConnectionSimple.test_connection_close": PATCHES_SOCKETS,
    f"{FAMILY}TestAWSQueryConnectionSimple.test_multi_commands": PATCHES_SOCKETS,
    f"{FAMILY}TestAWSQueryConnectionSimple.test_non_secure": PATCHES_SOCKETS,
    f"{FAMILY}TestAWSQueryConnectionSimple.test_port_pooling": (
        "patches Python's sockets, and asks boto's own pool for a connection given to it before: "
        "the override gives it none"
    ),
    f"{FAMILY}TestAWSQueryConnectionSimple.test_query_connection_noproxy": PATCHES_SOCKETS,
    f"{FAMILY}TestAWSQueryConnectionSimple.test_query_connection_noproxy_nosecure": PATCHES_SOCKETS,
    f"{FAMILY}TestAWSQueryConnectionSimple.test_single_command": PATCHES_SOCKETS,
    f"{FAMILY}TestAWSQueryConnectionSimple.test_temp_failure": PATCHES_SOCKETS,
    f"{FAMILY}TestAWSQueryStatus.test_get_status": PATCHES_SOCKETS,
    f"{FAMILY}TestAWSQueryStatus.test_get_status_blank_error": PATCHES_SOCKETS,
    f"{FAMILY}TestAWSQueryStatus.test_get_status_error": PATCHES_SOCKETS,
}
