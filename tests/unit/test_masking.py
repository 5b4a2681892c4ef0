from __future__ import annotations

import pytest

from tests.waiting import spends_at_most
from watchbell.domain.masking import MASK, is_secret_name, mask, mask_addresses, mask_all


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD", "DB_PASSWORD", "PGPASSWORD", "MYSQL_PWD", "SMTP_PASS", "api_key", "apiKey", "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN", "tokenFile", "HTTP_AUTHORIZATION", "DB_CREDENTIALS", "SESSION_COOKIE", "SSH_PRIVATE_KEY", "SIGNING_KEYS",
        "basic_auth", "CARD_PIN", "jwt", "my.secret.name", "passphrase",
    ],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)
    assert mask(name, "hunter2") == MASK


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "LANG", "PWD", "OLDPWD", "KEYBOARD", "SPIN", "AUTHOR", "MONKEYS", "PASSAGE", "X", "", "ключ"],
)
def test_other_names_keep_their_values(name: str) -> None:
    assert not is_secret_name(name)
    assert mask(name, "plain") == "plain"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgres://ann:s3cret@db1:5432/x", f"postgres://ann:{MASK}@db1:5432/x"),
        ("redis://:s3cret@cache/0", f"redis://:{MASK}@cache/0"),
        ("https://ghp_0123456789abcdef0123@github.example/x", f"https://{MASK}@github.example/x"),
        ("https://hooks.example/x?user=ann&token=abc&n=1", f"https://hooks.example/x?user=ann&token={MASK}&n=1"),
        ("see https://a:b@c.example and https://d.example/", f"see https://a:{MASK}@c.example and https://d.example/"),
        ("https://ann@host.example/path:with@signs", "https://ann@host.example/path:with@signs"),
        ("ann:secret@host", "ann:secret@host"),
        ("mysql://u:p@ss/w:rd@db1/x", f"mysql://u:{MASK}@db1/x"),
        ("-----BEGIN EC PRIVATE KEY-----\nabc", MASK),
        ("a https://d.example/a:b@c b", "a https://d.example/a:b@c b"),
        ("", ""),
    ],
)
def test_passwords_in_addresses_are_masked_whatever_the_name(value: str, shown: str) -> None:
    assert mask("DATABASE", value) == shown


def test_the_mask_does_not_tell_how_long_a_secret_is_and_an_empty_one_is_told() -> None:
    assert mask_all({"B_TOKEN": "x" * 50, "A_KEY": "y", "C_KEY": ""}) == {"A_KEY": MASK, "B_TOKEN": MASK, "C_KEY": ""}


@pytest.mark.parametrize(
    "text", ["a://" * 50_000, "a://x:" + "y" * 200_000, "a://b?" + "x=1&" * 50_000, "://@" * 50_000]
)
def test_a_hostile_value_costs_no_more_than_its_length(text: str) -> None:
    spends_at_most(2, lambda: mask_addresses(text))
