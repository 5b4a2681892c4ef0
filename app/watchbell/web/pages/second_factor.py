"""One's own second factor: setting it up, new recovery codes, and switching it off."""

from __future__ import annotations

from datetime import datetime

import segno
from flask import Blueprint, flash, redirect, render_template, session, url_for
from werkzeug.wrappers import Response

from watchbell.errors import Conflict
from watchbell.services import second_factors
from watchbell.services.second_factors import SetUp
from watchbell.web import auth, current, errors
from watchbell.web.db import database
from watchbell.web.forms.account import CodeForm, FactorProofForm, RenewForm
from watchbell.web.forms.token_form import ProofForm
from watchbell.web.i18n import _
from watchbell.web.proving import asking, asking_factor, proves, proves_factor

blueprint = Blueprint("second_factor", __name__)

#: Session key: which set-up was begun here.
_BEGUN = "second_factor_begun"


@blueprint.get("/account/second-factor")
def index() -> str:
    """Show whether there is one, or the secret of one that waits for its first code."""
    return _page(ProofForm(), CodeForm())


@blueprint.post("/account/second-factor")
def begin() -> Response | tuple[str, int]:
    """Make a secret, which the page then shows until a code confirms it."""
    _require_account()
    form = FactorProofForm()
    if not proves_factor(form):
        return _page(form, CodeForm()), 422
    session[_BEGUN] = second_factors.begin(database(), current.user().username, now=current.now()).isoformat()
    return redirect(url_for("second_factor.index"), 303)


@blueprint.post("/account/second-factor/confirm")
def confirm() -> Response | str | tuple[str, int]:
    """Let the second factor count, and show the recovery codes in the answer itself: they stand nowhere else."""
    _require_account()
    form = CodeForm()
    # Whoever has begun has proven it, which counts no longer than elsewhere.
    if not form.validate_on_submit() or not auth.is_proven():
        return _page(ProofForm(), form), 422
    if not auth.may_try_own_code(form.code.data):
        return _too_many()
    codes = _confirmed(form.code.data)
    if codes is None:
        form.code.errors = [_("This code does not fit. Is the clock of your device right?")]
        return _page(ProofForm(), form), 422
    return _codes_page(codes, is_new=True)


@blueprint.post("/account/second-factor/codes")
def renew() -> Response | str | tuple[str, int]:
    """Make new recovery codes, by a code that counts now: each of the new ones can switch it off."""
    _require_account()
    proof, form = ProofForm(), RenewForm()
    if not proves(proof) or not form.validate_on_submit():
        return _page(proof, CodeForm(), form), 422
    if not auth.may_try_own_code(form.code.data):
        return _too_many()
    if not second_factors.fits(database(), current.user().username, form.code.data, now=current.now()):
        form.code.errors = [_("This code does not fit, or was used before.")]
        return _page(proof, CodeForm(), form), 422
    return _codes_page(second_factors.renew_codes(database(), current.user().username, now=current.now()))


@blueprint.post("/account/second-factor/off")
def switch_off() -> Response | tuple[str, int]:
    """Switch it off, by a code: neither a session that was left open nor a password alone is enough."""
    _require_account()
    form = CodeForm()
    username = current.user().username
    if form.validate_on_submit():
        if not auth.may_try_own_code(form.code.data):
            return _too_many()
        if second_factors.fits(database(), username, form.code.data, now=current.now()):
            second_factors.forget_app(database(), username, now=current.now())
            flash(_("Codes of the app count no more."), "success")
            return redirect(url_for("second_factor.index"), 303)
        form.code.errors = [_("This code does not fit, or was used before.")]
    return _page(ProofForm(), form), 422


def _page(proof: ProofForm, code: CodeForm, renewing: RenewForm | None = None) -> str:
    user = current.user()
    if not user.is_authenticated:
        return render_template("second_factor/index.html", state=None, section="account")
    asking(proof)
    beginning = asking_factor(proof if isinstance(proof, FactorProofForm) else FactorProofForm(formdata=None))
    state = second_factors.state_of(database(), user.username)
    shows = not state.has_app and auth.is_proven()
    waiting = second_factors.set_up_of(database(), user.username, begun=_begun(), now=current.now()) if shows else None
    return render_template(
        "second_factor/index.html",
        state=state,
        waiting=waiting,
        picture=_picture(waiting) if waiting else "",
        in_fours=" ".join(waiting.secret[at : at + 4] for at in range(0, len(waiting.secret), 4)) if waiting else "",
        proof=proof,
        beginning=beginning,
        form=code,
        renewing=renewing or RenewForm(formdata=None),
        is_required=auth.must_set_up(),
        section="account",
    )


def _confirmed(code: str) -> list[str] | None:
    user = current.user()
    return second_factors.confirm(
        database(), user.username, code, begun=_begun(), now=current.now(), keep_token=user.token
    )


def _begun() -> datetime | None:
    """Return which set-up was begun in this browser: no other session of the account sees its secret."""
    kept = session.get(_BEGUN)
    return datetime.fromisoformat(kept) if isinstance(kept, str) else None


def _picture(waiting: SetUp) -> str:
    """Return the link as a QR code: black on white in every look of the page, since cameras read no other."""
    return str(segno.make(waiting.link, error="m", micro=False).svg_data_uri(scale=4, border=4, light="#fff"))


def _codes_page(codes: list[str], *, is_new: bool = False) -> str:
    return render_template("second_factor/codes.html", codes=codes, is_new=is_new, section="account")


def _require_account() -> None:
    if not current.user().is_authenticated:
        raise Conflict(_("this server asks for no login (WATCHBELL_AUTH), so that there is nothing to add a factor to"))


def _too_many() -> Response:
    return errors.answer(429, _("Too many tries. Wait a minute, then try again"))
