"""The memory and load of the device that trains."""

from __future__ import annotations

from time import monotonic
from typing import Any

import psutil

from engine.devices import gpu_index
from engine.machine import machine
from engine.protocol.events import Device

DEVICE_EVENT_S = 2.0
"""Seconds between two `device` events of a run that trains."""

PAUSED_GROWTH = 1.1
"""While a run is paused, this factor lengthens the time between two `device` events. So a pause of a year adds fewer
than 200 lines, and the last events of the training stay near the end of the file, where a list of runs reads them."""


class DeviceMonitor:
    """Reads how much of a device this process uses, in well under a millisecond.

    On a CPU: the resident set of the process, and its share of the cores. On CUDA: the figures of the whole GPU; the
    load comes from NVML, if it is installed.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._read_at = 0.0
        self._paused_event_s = DEVICE_EVENT_S
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._nvml = _nvml_handle(device) if device.startswith("cuda") else None

    def read_if_due(self, *, paused: bool) -> Device | None:
        """Return the figures if a `device` event is due, else None."""
        after_s = self._paused_event_s if paused else DEVICE_EVENT_S
        if monotonic() - self._read_at < after_s:
            return None
        self._paused_event_s = after_s * PAUSED_GROWTH
        self._read_at = monotonic()
        return self.read()

    def read(self) -> Device:
        """Return the memory now, and the mean load since the last reading."""
        if self.device.startswith("cuda"):
            return self._read_cuda()
        return Device(
            memory_bytes=self._process.memory_info().rss,
            memory_total_bytes=machine().memory().total,
            load=min(1.0, self._process.cpu_percent() / 100 / machine().cores()),
        )

    def _read_cuda(self) -> Device:
        memory = machine().gpu_memory(gpu_index(self.device))
        load = None
        if self._nvml is not None:
            pynvml, handle = self._nvml
            try:
                load = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
            except pynvml.NVMLError:
                self._nvml = None
        return Device(memory_bytes=memory.total - memory.free, memory_total_bytes=memory.total, load=load)


def _nvml_handle(device: str) -> tuple[Any, Any] | None:
    """Return NVML's handle of a CUDA device, or None without NVML. Found by UUID, because indices change."""
    try:
        import pynvml
        import torch

        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except (ImportError, AttributeError, pynvml.NVMLError):
        return None
