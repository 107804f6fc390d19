"""SimpleDB's errors: each has a code and that code's HTTP status."""

from collections.abc import Mapping

STATUS: Mapping[str, int] = {
    "AttributeDoesNotExist": 404,
    "AuthFailure": 403,
    "AuthMissingFailure": 403,
    "ConditionalCheckFailed": 409,
    "DuplicateItemName": 400,
    "ExistsAndExpectedValue": 400,
    "IncompleteExpectedExpression": 400,
    "InvalidAction": 400,
    "InvalidClientTokenId": 403,
    "InvalidHttpRequest": 400,
    "InvalidNextToken": 400,
    "InvalidNumberPredicates": 400,
    "InvalidNumberValueTests": 400,
    "InvalidParameterCombination": 400,
    "InvalidParameterValue": 400,
    "InvalidQueryExpression": 400,
    "InvalidSortExpression": 400,
    "MissingAction": 400,
    "MissingParameter": 400,
    "MultiValuedAttribute": 409,
    "MultipleExpectedNames": 400,
    "NoSuchDomain": 400,
    "NoSuchVersion": 400,
    "NumberDomainsExceeded": 409,
    "NumberItemAttributesExceeded": 409,
    "NumberSubmittedAttributesExceeded": 409,
    "NumberSubmittedItemsExceeded": 409,
    "RequestExpired": 400,
    "SignatureDoesNotMatch": 403,
    "TooManyRequestedAttributes": 400,
}
"""By code, from the developer guide's table of error codes."""


class Refused(Exception):
    """What the caller asked for is refused.

    code: one of STATUS
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = STATUS[code]
