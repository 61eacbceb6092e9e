from __future__ import annotations

import uuid

import pytest

from fitbook.artifacts import Artifacts, open_artifacts
from fitbook.testing.artifact_suite import ArtifactSuite, StreamingSuite, bucket, s3_server

__all__ = ["bucket", "s3_server"]


class TestMemory(ArtifactSuite):
    @pytest.fixture
    def artifacts(self) -> Artifacts:
        return open_artifacts(f"memory://m-{uuid.uuid4().hex}/runs")


class TestS3(ArtifactSuite, StreamingSuite):
    @pytest.fixture
    def artifacts(self, bucket: str) -> Artifacts:
        return open_artifacts(f"s3://{bucket}/runs/run/artifacts")


class TestS3AtTheRootOfABucket(ArtifactSuite):
    @pytest.fixture
    def artifacts(self, bucket: str) -> Artifacts:
        return open_artifacts(f"s3://{bucket}")
