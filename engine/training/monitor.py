"""Memory and load of the device that trains."""

from __future__ import annotations

from typing import Any

import psutil

from engine.devices import gpu_index
from engine.machine import machine
from engine.protocol.events import Device


class DeviceMonitor:
    """Reads what this process uses of a device; a reading costs well under a millisecond.

    On a CPU the memory is the process's resident set and the load its share of the cores; on CUDA both are the GPU's
    own figures, the load from NVML where it is there.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._nvml = _nvml_handle(device) if device.startswith("cuda") else None

    def read(self) -> Device:
        """The figures since the last reading."""
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
    """NVML's handle of a CUDA device, found by UUID, since CUDA_VISIBLE_DEVICES renumbers them; None without NVML."""
    try:
        import pynvml
        import torch

        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except (ImportError, AttributeError, pynvml.NVMLError):
        return None
