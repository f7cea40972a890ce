"""Replaces Amazon Connect, which the emulator does not have."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from botocore.validate import validate_parameters


class FakeConnect:
    """A client that lists the storage configurations of an instance.

    Args:
        client: a boto3 client, whose model validates the requests.
        configs: storage configurations of the instance.
        allowed: whether the caller has the permission.
    """

    def __init__(self, client: Any, configs: list[dict[str, Any]], *, allowed: bool = True) -> None:
        self._operation = client.meta.service_model.operation_model("ListInstanceStorageConfigs")
        self._configs = configs
        self._allowed = allowed

    def list_instance_storage_configs(self, **request: Any) -> dict[str, Any]:
        """Returns the storage configurations."""
        validate_parameters(request, self._operation.input_shape)
        assert request == {
            "InstanceId": "00000000-0000-0000-0000-000000000000",
            "ResourceType": "CONTACT_TRACE_RECORDS",
        }
        if not self._allowed:
            message = f"User is not authorized to perform: connect:{self._operation.name} on resource: x"
            error: Any = {"Error": {"Code": "AccessDeniedException", "Message": message}}
            raise ClientError(error, self._operation.name)
        return {"StorageConfigs": self._configs}
