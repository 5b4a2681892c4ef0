"""The first page of the fleet: how it does, what goes on, and what needs a person."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template

from watchbell.services import fleet_views
from watchbell.web import current, fleet_looks, fleet_places, fleet_words, twins
from watchbell.web.db import database
from watchbell.web.pictures import fleet_map

blueprint = Blueprint("fleet", __name__)
blueprint.add_app_template_global(fleet_places.entries, "fleet_entries")
blueprint.add_app_template_global(fleet_places.has, "has_page")
blueprint.add_app_template_global(fleet_words.sentence, "fleet_sentence")
blueprint.add_app_template_global(fleet_words.shown_state, "fleet_state")
blueprint.add_app_template_global(fleet_words.target_words, "fleet_target")
blueprint.add_app_template_global(fleet_words.begin_words, "fleet_begin")
blueprint.add_app_template_global(fleet_words.rules_words, "fleet_rules")
blueprint.add_app_template_filter(fleet_words.output_text, "plain_output")
blueprint.add_app_template_filter(fleet_words.plain_facts)
blueprint.add_app_template_global(fleet_views.counts_of, "fleet_counts")
blueprint.add_app_template_global(fleet_map.shares, "fleet_shares")


@blueprint.get("/fleet")
def index() -> str:
    return render_template("fleet/index.html", page=fleet_looks.dashboard())


@blueprint.get("/fleet.json")
def index_json() -> Response:
    return jsonify(fleet_looks.as_told(fleet_views.look(database(), now=current.now())))


@blueprint.get("/fleet.csv")
def index_csv() -> Response:
    found = fleet_looks.as_told(fleet_views.look(database(), now=current.now()))
    rows = [{"name": name, "value": value} for name, value in found.items() if not isinstance(value, list)]
    return twins.csv_response("fleet", ("name", "value"), rows)
