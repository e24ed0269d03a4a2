"""Boards that run a stock TVM RPC server, alone or behind a tracker."""

from edgeprune.measuring.rpc.launcher import launcher_for
from edgeprune.measuring.rpc.tracker import Lent, request_board
from edgeprune.measuring.rpc.transport import RpcTransport

__all__ = ["Lent", "RpcTransport", "launcher_for", "request_board"]
