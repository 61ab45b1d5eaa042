"""Containers: what builds the image and what runs it, as far as no daemon is needed to tell."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml
from compose_spec import ComposeSpecification
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.utilities.templating import find_placeholders

from flows.cli import main as openbook
from tasks.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deployments"
DOCKERFILE = (FOLDER / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
POOL = json.loads((FOLDER / "kubernetes" / "work-pool.json").read_text("utf-8"))
KUSTOMIZATION = yaml.safe_load((FOLDER / "kubernetes" / "kustomization.yaml").read_text("utf-8"))
MANIFESTS = [
    manifest
    for name in KUSTOMIZATION["resources"]
    for manifest in yaml.safe_load_all((FOLDER / "kubernetes" / name).read_text("utf-8"))
]
JOB = POOL["job_configuration"]["job_manifest"]
NAMES = {
    ("ConfigMap", "openbook-work-pool"),  # generated
    ("Secret", "openbook-database"),  # made by hand
    ("Secret", "openbook-tokens"),
    ("Secret", "openbook-keys"),
} | {(one["kind"], one["metadata"]["name"]) for one in MANIFESTS}
KINDS = {
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "configMap": "ConfigMap",
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
    "secret": "Secret",
    "persistentVolumeClaim": "PersistentVolumeClaim",
}


def nodes(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value within, with the key that it stands under."""
    yield key, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from nodes(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner, key)


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """The pods' specs of all manifests and of flow runs, by name."""
    for manifest in [*MANIFESTS, JOB]:
        for key, value in nodes(manifest):
            if key == "spec" and isinstance(value, dict) and "containers" in value:
                yield manifest["metadata"].get("name", "flow run"), value


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of a container, by whose it is."""
    listed = re.search(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
    assert listed
    yield "image", json.loads(listed[1])
    for name, service in COMPOSE["services"].items():
        yield name, service.get("command", [])
    for name, pod in pods():
        for container in pod["containers"]:
            yield name, container.get("command", [])


def test_the_image_installs_what_the_makefile_installs() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for line in ("-r constraints.txt", "--editable ."):
        assert f"$(PIP) {line}" in makefile
        assert f"install --quiet --no-deps {line}\n" in DOCKERFILE
    assert "PIP_CONSTRAINT=/app/constraints-dev.txt" in DOCKERFILE


def test_the_image_is_pinned_and_does_not_run_as_root() -> None:
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    assert re.search(r"^ARG PYTHON=3\.1[123]\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert {one for one in lines if one.startswith("FROM")} == {
        "FROM python:${PYTHON} AS build",
        "FROM python:${PYTHON}",
    }
    last_stage = lines[len(lines) - lines[::-1].index("FROM python:${PYTHON}") :]
    user = next(place for place, line in enumerate(last_stage) if line.startswith("USER 10001"))
    assert not any(line.startswith(("RUN", "COPY", "ADD")) for line in last_stage[user:])
    assert not any(line.startswith("ADD") or "sudo" in line for line in lines)


def test_what_is_copied_into_the_image_is_there_and_not_ignored() -> None:
    kept = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for name in line.split()[:-1]
    ]
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in kept
    assert kept[0] == "*"


def test_compose_is_by_its_specification() -> None:
    ComposeSpecification.model_validate(
        {name: value for name, value in COMPOSE.items() if not name.startswith("x-")}
    )


def test_compose_names_only_what_it_declares_and_waits_for_what_tells_of_its_health() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in services[other]
        for volume in service.get("volumes", []):
            name = volume.partition(":")[0]
            assert name in COMPOSE["volumes"] or name.startswith("${DOCUMENTS")
        for config in service.get("configs", []):
            assert config["source"] in COMPOSE["configs"]
        image = service["image"]
        assert re.fullmatch(r"[\w./-]+:\d[\w.-]+", image)


def test_compose_holds_no_password_and_opens_prefect_to_its_own_machine_alone() -> None:
    text = (FOLDER / "compose.yaml").read_text("utf-8")
    assert set(re.findall(r"PASSWORD: (\S+)", text)) == {"${POSTGRES_PASSWORD:?a"}
    assert not re.search(r"://\w+:[^@/]+@", text)
    assert COMPOSE["services"]["prefect"]["ports"] == ["127.0.0.1:4200:4200"]
    for name in ("prefect", "setup", "worker", "serve"):
        service = COMPOSE["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: f"{one['kind']} {one['metadata']}")
def test_a_manifest_is_by_kubernetes_own_schema(manifest: dict[str, Any]) -> None:
    for release in ("1.31", "1.34"):
        kubernetes_validate.validate(manifest, release, strict=True)


def test_the_jobs_of_flow_runs_are_by_kubernetes_own_schema() -> None:
    defaults = POOL["variables"]["properties"]
    text = json.dumps(JOB)
    for placeholder in find_placeholders(JOB):
        value = defaults[placeholder.name].get(
            "default", {} if placeholder.name == "labels" else "x"
        )
        whole = f'"{placeholder.full_match}"'
        text = text.replace(whole, json.dumps(value)).replace(placeholder.full_match, str(value))
    job = json.loads(text)
    # Prefect's worker refuses a template without these two, which belong one level higher.
    assert job["spec"]["template"]["spec"].pop("parallelism") == 1
    assert job["spec"]["template"]["spec"].pop("completions") == 1
    kubernetes_validate.validate(job, "1.34", strict=True)


def test_the_work_pools_template_names_each_of_its_variables() -> None:
    named = {one.name for one in find_placeholders(POOL["job_configuration"])}
    assert named == set(POOL["variables"]["properties"])


def test_a_prefect_server_takes_the_work_pool(prefect_server: None) -> None:
    with get_client(sync_client=True) as client:
        made = client.create_work_pool(
            WorkPoolCreate(name="on-kubernetes", type="kubernetes", base_job_template=POOL)
        )
        assert made.base_job_template["job_configuration"]["job_manifest"] == JOB
        client.delete_work_pool("on-kubernetes")


def test_manifests_refer_only_to_what_there_is_and_hold_no_secret() -> None:
    for manifest in [*MANIFESTS, JOB]:
        assert manifest["kind"] != "Secret"
        for key, value in nodes(manifest):
            if key in KINDS and isinstance(value, dict):
                name = value.get("name") or value.get("secretName") or value.get("claimName")
                assert (KINDS[key], name) in NAMES, f"{key} {name}"
            if key == "name" and isinstance(value, str):
                assert "PASSWORD" not in value or value == "PGPASSWORD"
    for one in MANIFESTS:
        if one["kind"] == "Service":
            (pod,) = [
                spec["template"]["metadata"]["labels"]
                for spec in (other["spec"] for other in MANIFESTS if other["kind"] == "Deployment")
                if spec["template"]["metadata"]["labels"] == one["spec"]["selector"]
            ]
            assert pod


@pytest.mark.parametrize(("name", "pod"), list(pods()), ids=lambda one: str(one)[:20])
def test_a_pod_has_no_rights_that_it_does_not_need(name: str, pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod.get("automountServiceAccountToken") is False or name == "openbook-worker"
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert {one["name"] for one in container["volumeMounts"]} <= {
            one["name"] for one in pod["volumes"]
        }


def test_what_runs_for_long_has_probes() -> None:
    for manifest in MANIFESTS:
        if manifest["kind"] == "Deployment":
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                assert "livenessProbe" in container
                assert (
                    "readinessProbe" in container
                    or "ports" not in container
                    or (container["name"] == "worker")
                )


@pytest.mark.parametrize(("whose", "command"), list(commands()))
def test_a_containers_command_is_one_that_openbook_or_prefect_has(
    whose: str, command: list[str]
) -> None:
    script = command[-1].replace("\\\n", " ") if command[:1] == ["sh"] else shlex.join(command)
    for line in filter(None, re.split(r"\n|&&|\|\|\s*", script)):
        program, *words = shlex.split(line)
        assert program in ("openbook", "prefect")
        if program == "openbook":
            found = openbook.get_command(click.Context(openbook), words[0])
            assert found is not None
            found.make_context(words[0], words[1:], resilient_parsing=True)
            known = {option for parameter in found.params for option in parameter.opts}
            assert {word for word in words[1:] if word.startswith("-")} <= known


def test_every_pod_that_makes_pseudonyms_has_the_same_key_for_them() -> None:
    keyed = {
        name
        for name, pod in pods()
        for container in pod["containers"]
        if {"secretRef": {"name": "openbook-keys"}} in container.get("envFrom", [])
    }
    assert keyed == {"openbook-serve", "openbook-setup", "flow run"}
    head = (FOLDER / "kubernetes" / "kustomization.yaml").read_text("utf-8")
    assert "--from-literal=OPENBOOK_PSEUDONYM_KEY=" in head


def test_what_may_change_while_a_pod_runs_is_mounted_as_a_folder() -> None:
    for _, pod in pods():
        for container in pod["containers"]:
            assert not any("subPath" in mount for mount in container["volumeMounts"])


def test_a_job_may_take_as_long_to_begin_as_its_pool_allows() -> None:
    automations = yaml.safe_load((FOLDER / "automations.yaml").read_text("utf-8"))
    waits = [
        value
        for key, value in nodes(automations)
        if isinstance(value, dict) and "prefect.flow-run.Pending" in value.get("after", [])
    ]
    longest = POOL["variables"]["properties"]["pod_watch_timeout_seconds"]["default"]
    assert [one["within"] > longest for one in waits] == [True]


def test_every_variable_of_openbook_is_a_setting() -> None:
    given = {
        key.removeprefix("OPENBOOK_").lower()
        for value in (COMPOSE, *MANIFESTS, POOL)
        for key, _ in nodes(value)
        if key.startswith("OPENBOOK_")
    } | {name.lower() for name in re.findall(r"OPENBOOK_(\w+)=", DOCKERFILE)}
    assert "database_url" in given
    assert given <= set(Settings.__dataclass_fields__)
