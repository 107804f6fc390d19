"""SimpleDB: what goes out for each operation, and what is made of its answers."""

from typing import Any

import pytest

from botod.daemon.services import sdb
from botod.daemon.services.errors import BadAnswer
from support.pools import KEYS
from support.services import CannedService, form_of, query_xml, reply, xml

from boto.exception import BotoServerError

SPECIAL = "<a> & \"b\" 'c' ü + %20 =;\n\ttab"
SPECIAL_XML = "&lt;a&gt; &amp; &quot;b&quot; 'c' ü + %20 =;\n\ttab"
META = {"HTTPStatusCode": 200, "RequestId": "b5293cb5-d306"}
DOMAIN = {"DomainName": "cats"}
ITEM = DOMAIN | {"ItemName": "minou"}
SIGNATURE = {"AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp"}


def sent(aws: CannedService, number: int = 0) -> dict[str, str]:
    """A request's form without action and signature, which are checked."""
    request = aws.requests[number]
    form = form_of(request)
    assert (request.method, request.target) == ("POST", "/")
    assert form["AWSAccessKeyId"] == KEYS[0]
    assert form.keys() >= SIGNATURE
    return {name: value for name, value in form.items() if name not in SIGNATURE}


@pytest.mark.parametrize(
    ("operation", "action"),
    [("create_domain", "CreateDomain"), ("delete_domain", "DeleteDomain")],
)
def test_operations_on_a_domain_alone(operation: str, action: str) -> None:
    """Only the name goes, only metadata comes."""
    aws = CannedService(query_xml(action))
    assert aws.call(f"sdb.{operation}", DOMAIN) == {"ResponseMetadata": META}
    assert sent(aws) == {"Action": action} | DOMAIN


def test_domain_metadata() -> None:
    """Counts are numbers; one that is not said is nought."""
    counts = {
        "ItemCount": 195078,
        "ItemNamesSizeBytes": 2586634,
        "AttributeNameCount": 12,
        "AttributeNamesSizeBytes": 120,
        "AttributeValueCount": 3690416,
        "AttributeValuesSizeBytes": 50149756,
        "Timestamp": 1225486466,
    }
    inside = "".join(f"<{name}>{count}</{name}>" for name, count in counts.items())
    aws = CannedService(query_xml("DomainMetadata", inside))
    assert aws.call("sdb.domain_metadata", DOMAIN) == counts | {"ResponseMetadata": META}
    assert sent(aws) == {"Action": "DomainMetadata"} | DOMAIN
    broken = CannedService(query_xml("DomainMetadata", "<ItemCount>many</ItemCount>"))
    with pytest.raises(BadAnswer, match="ItemCount is 'many'"):
        broken.call("sdb.domain_metadata", DOMAIN)


def test_list_domains() -> None:
    """A page of names, and where the next one begins."""
    aws = CannedService(
        query_xml(
            "ListDomains",
            "<DomainName>cats</DomainName><DomainName>dogs</DomainName><NextToken>t2</NextToken>",
        )
    )
    result = aws.call("sdb.list_domains", {"MaxNumberOfDomains": 2, "NextToken": "t1"})
    assert result == {
        "DomainNames": ["cats", "dogs"],
        "NextToken": "t2",
        "ResponseMetadata": META,
    }
    assert sent(aws) == {"Action": "ListDomains", "MaxNumberOfDomains": "2", "NextToken": "t1"}


def test_no_domains_are_an_empty_list() -> None:
    """SimpleDB sends an empty result then."""
    aws = CannedService(xml("<ListDomainsResponse><ListDomainsResult/></ListDomainsResponse>"))
    assert aws.call("sdb.list_domains")["DomainNames"] == []


def test_put_attributes() -> None:
    """Attributes are numbered, flags are words, the condition goes along."""
    aws = CannedService(query_xml("PutAttributes"))
    result = aws.call(
        "sdb.put_attributes",
        ITEM
        | {
            "Attributes": [
                {"Name": "colour", "Value": SPECIAL, "Replace": True},
                {"Name": "colour", "Value": "", "Replace": False},
            ],
            "Expected": {"Name": "version", "Value": "1"},
        },
    )
    assert result == {"ResponseMetadata": META}
    assert sent(aws) == {
        "Action": "PutAttributes",
        "DomainName": "cats",
        "ItemName": "minou",
        "Attribute.1.Name": "colour",
        "Attribute.1.Value": SPECIAL,
        "Attribute.1.Replace": "true",
        "Attribute.2.Name": "colour",
        "Attribute.2.Value": "",
        "Attribute.2.Replace": "false",
        "Expected.1.Name": "version",
        "Expected.1.Value": "1",
    }


def test_batch_put_attributes() -> None:
    """Items are numbered, and their attributes inside them."""
    aws = CannedService(query_xml("BatchPutAttributes"))
    aws.call(
        "sdb.batch_put_attributes",
        DOMAIN
        | {
            "Items": [
                {"Name": "a", "Attributes": [{"Name": "x", "Value": "1"}]},
                {
                    "Name": "b&",
                    "Attributes": [
                        {"Name": "x", "Value": "2"},
                        {"Name": "y", "Value": "3", "Replace": True},
                    ],
                },
            ]
        },
    )
    assert sent(aws) == {
        "Action": "BatchPutAttributes",
        "DomainName": "cats",
        "Item.1.ItemName": "a",
        "Item.1.Attribute.1.Name": "x",
        "Item.1.Attribute.1.Value": "1",
        "Item.2.ItemName": "b&",
        "Item.2.Attribute.1.Name": "x",
        "Item.2.Attribute.1.Value": "2",
        "Item.2.Attribute.2.Name": "y",
        "Item.2.Attribute.2.Value": "3",
        "Item.2.Attribute.2.Replace": "true",
    }


def test_get_attributes() -> None:
    """Values as they were put, those that XML cannot hold from their base64."""
    aws = CannedService(
        query_xml(
            "GetAttributes",
            f"<Attribute><Name>colour</Name><Value>{SPECIAL_XML}</Value></Attribute>"
            '<Attribute><Name>odd</Name><Value encoding="base64">YQFi</Value></Attribute>'
            '<Attribute><Name encoding="base64">AQ==</Name><Value/></Attribute>',
        )
    )
    result = aws.call(
        "sdb.get_attributes", ITEM | {"AttributeNames": ["colour", "a b"], "ConsistentRead": True}
    )
    assert result["Attributes"] == [
        {"Name": "colour", "Value": SPECIAL},
        {"Name": "odd", "Value": "a\x01b"},
        {"Name": "\x01", "Value": ""},
    ]
    assert sent(aws) == {
        "Action": "GetAttributes",
        "DomainName": "cats",
        "ItemName": "minou",
        "AttributeName.1": "colour",
        "AttributeName.2": "a b",
        "ConsistentRead": "true",
    }


def test_an_unknown_item_has_no_attributes() -> None:
    """SimpleDB does not tell it from an empty one."""
    aws = CannedService(
        xml("<GetAttributesResponse><GetAttributesResult/></GetAttributesResponse>")
    )
    assert aws.call("sdb.get_attributes", ITEM)["Attributes"] == []


def test_delete_attributes() -> None:
    """With a value or without; the condition may be that there is none."""
    aws = CannedService(query_xml("DeleteAttributes"))
    aws.call(
        "sdb.delete_attributes",
        ITEM
        | {
            "Attributes": [{"Name": "x"}, {"Name": "y", "Value": "1"}],
            "Expected": {"Name": "z", "Exists": False},
        },
    )
    assert sent(aws) == {
        "Action": "DeleteAttributes",
        "DomainName": "cats",
        "ItemName": "minou",
        "Attribute.1.Name": "x",
        "Attribute.2.Name": "y",
        "Attribute.2.Value": "1",
        "Expected.1.Name": "z",
        "Expected.1.Exists": "false",
    }


def test_deleting_a_whole_item_names_no_attributes() -> None:
    """Without attributes the item goes."""
    aws = CannedService(query_xml("DeleteAttributes"))
    aws.call("sdb.delete_attributes", ITEM)
    assert sent(aws) == {"Action": "DeleteAttributes"} | ITEM


def test_batch_delete_attributes() -> None:
    """Items are numbered; one without attributes goes whole."""
    aws = CannedService(query_xml("BatchDeleteAttributes"))
    items = [
        {"Name": "a"},
        {"Name": "b", "Attributes": [{"Name": "x"}, {"Name": "y", "Value": "1"}]},
    ]
    aws.call("sdb.batch_delete_attributes", DOMAIN | {"Items": items})
    assert sent(aws) == {
        "Action": "BatchDeleteAttributes",
        "DomainName": "cats",
        "Item.1.ItemName": "a",
        "Item.2.ItemName": "b",
        "Item.2.Attribute.1.Name": "x",
        "Item.2.Attribute.2.Name": "y",
        "Item.2.Attribute.2.Value": "1",
    }


def page(*names: str, token: str = "") -> Any:
    """A page of a select."""
    items = "".join(
        f"<Item><Name>{name}</Name><Attribute><Name>n</Name><Value>{name}</Value></Attribute></Item>"
        for name in names
    )
    return query_xml("Select", items + (f"<NextToken>{token}</NextToken>" if token else ""))


def item(name: str) -> dict[str, Any]:
    """An item of those pages, as it is to come out."""
    return {"Name": name, "Attributes": [{"Name": "n", "Value": name}]}


EXPRESSION = "select * from `cats` where name = 'a''b' and x < '5'"


def test_select_gives_a_page() -> None:
    """One request, whatever there is behind it; the token asks for the next."""
    aws = CannedService(page("a", "b", token="t+1="), page("c"))
    params = {"SelectExpression": EXPRESSION, "ConsistentRead": True}
    first = aws.call("sdb.select", params)
    assert first == {
        "Items": [item("a"), item("b")],
        "NextToken": "t+1=",
        "ResponseMetadata": META,
    }
    last = aws.call("sdb.select", params | {"NextToken": first["NextToken"]})
    assert last == {"Items": [item("c")], "ResponseMetadata": META}
    asked = {"Action": "Select", "SelectExpression": EXPRESSION, "ConsistentRead": "true"}
    assert [sent(aws, number) for number in range(2)] == [asked, asked | {"NextToken": "t+1="}]


def test_an_empty_page_may_have_a_next() -> None:
    """SimpleDB looks for five seconds, then says how far it has come."""
    result = CannedService(page(token="t1")).call("sdb.select", {"SelectExpression": EXPRESSION})
    assert (result["Items"], result["NextToken"]) == ([], "t1")


def test_select_of_nothing() -> None:
    """No items are an empty list, without a token."""
    result = CannedService(page()).call("sdb.select", {"SelectExpression": EXPRESSION})
    assert result["Items"] == []
    assert "NextToken" not in result


def error(code: str, status: str) -> Any:
    """An error as SimpleDB writes it."""
    return xml(
        f"<Response><Errors><Error><Code>{code}</Code><Message>The &lt;domain&gt;</Message>"
        "<BoxUsage>0.0055590279</BoxUsage></Error></Errors>"
        "<RequestID>a8d7e1e2-3f7a</RequestID></Response>",
        status=status,
    )


ATTRIBUTES = {"Attributes": [{"Name": "x", "Value": "1"}]}
ALL: dict[str, dict[str, Any]] = {
    "create_domain": DOMAIN,
    "delete_domain": DOMAIN,
    "list_domains": {},
    "put_attributes": ITEM | ATTRIBUTES,
    "batch_put_attributes": DOMAIN | {"Items": [{"Name": "a"} | ATTRIBUTES]},
    "get_attributes": ITEM,
    "delete_attributes": ITEM,
    "domain_metadata": DOMAIN,
    "batch_delete_attributes": DOMAIN | {"Items": [{"Name": "a"}]},
    "select": {"SelectExpression": EXPRESSION},
    "select_all": {"SelectExpression": EXPRESSION},
}


def test_the_list_of_operations_is_complete() -> None:
    """The tests below go over all operations of the table."""
    assert ALL.keys() == sdb.SERVICE.operations.keys()


@pytest.mark.parametrize(("operation", "params"), ALL.items())
def test_errors_of_the_service(operation: str, params: dict[str, Any]) -> None:
    """A 4xx is raised with SimpleDB's own code, words and request id."""
    aws = CannedService(error("NoSuchDomain", "400 Bad Request"))
    with pytest.raises(BotoServerError) as caught:
        aws.call(f"sdb.{operation}", params, retries=3)
    found = caught.value
    assert (found.status, found.error_code) == (400, "NoSuchDomain")
    assert (found.message, found.request_id) == ("The <domain>", "a8d7e1e2-3f7a")
    assert len(aws.requests) == 1


@pytest.mark.parametrize(("operation", "params"), ALL.items())
@pytest.mark.parametrize("body", ["", "<SelectRes", "<html><body>Log in</body></html>"])
def test_what_is_not_simpledb_s_answer_is_an_error(
    operation: str, params: dict[str, Any], body: str
) -> None:
    """Nothing, half a document and somebody else's page are not taken for success."""
    with pytest.raises(BadAnswer):
        CannedService(reply(body)).call(f"sdb.{operation}", params)


def test_a_5xx_is_tried_again(quick_retries: None) -> None:
    """As often as it is told; SimpleDB's 503 is a request to slow down."""
    aws = CannedService(error("ServiceUnavailable", "503 Service Unavailable"), page("a"))
    result = aws.call("sdb.select", {"SelectExpression": EXPRESSION}, retries=1)
    assert result["Items"] == [item("a")]
    assert len(aws.requests) == 2


@pytest.mark.parametrize("operation", ["put_attributes", "delete_attributes"])
def test_a_condition_makes_a_write_unrepeatable(operation: str) -> None:
    """It holds only the first time: a second try would be told that the first had failed."""
    row = sdb.SERVICE.operations[operation]
    assert row.is_idempotent(ALL[operation])
    assert not row.is_idempotent(ALL[operation] | {"Expected": {"Name": "x", "Exists": False}})


def test_all_operations_may_be_repeated_otherwise() -> None:
    """An item's values are a set: putting one twice is putting it once."""
    assert all(row.idempotent for row in sdb.SERVICE.operations.values())
