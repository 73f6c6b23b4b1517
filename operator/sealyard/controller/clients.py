"""How the operator reaches the API server: in the cluster, or by a kubeconfig file."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import kopf
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from sealyard.errors import InvalidError, MissingError

CONNECTIONS = 64
"""Requests under way at once; more workers than this would wait for a connection."""


async def load_client_configuration() -> Configuration:
    """The service account's configuration in a pod, else what `KUBECONFIG` names.

    The server's certificate is always verified, and no proxy is taken from the environment.

    Raises:
        MissingError: there is neither.
        InvalidError: the kubeconfig asks for a connection that is not verified.
    """
    configuration = Configuration()
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        load_incluster_config(client_configuration=configuration)
    else:
        try:
            await load_kube_config(client_configuration=configuration, persist_config=False)
        except (ConfigException, OSError) as error:
            raise MissingError(
                "no way to the API server: run in a pod with a service account, or name a "
                f"kubeconfig file in KUBECONFIG ({error})"
            ) from error
    if not configuration.verify_ssl:
        raise InvalidError(
            "the kubeconfig says insecure-skip-tls-verify: true; name the server's CA in "
            "certificate-authority instead"
        )
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.client_session_kwargs = {"trust_env": False}
    return configuration


def make_client(configuration: Configuration) -> ApiClient:
    """A client that its user closes."""
    client = ApiClient(configuration)
    client.user_agent = f"sealyard-operator/{version('sealyard')}"
    return client


async def watch_credentials(configuration: Configuration) -> kopf.ConnectionInfo:
    """The same way to the API server for kopf's watches, with a token read anew."""
    header = await configuration.get_api_key_with_prefix("BearerToken")
    scheme, _, token = (header or "").rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        ca_data=configuration.ca_cert_data,
        insecure=False,
        username=configuration.username or None,
        password=configuration.password or None,
        scheme=scheme or None,
        token=token.strip() or None,
        certificate_path=_existing(configuration.cert_file),
        private_key_path=_existing(configuration.key_file),
        proxy_url=configuration.proxy,
        trust_env=False,
    )


def _existing(path: str | None) -> str | None:
    return path if path and Path(path).is_file() else None
