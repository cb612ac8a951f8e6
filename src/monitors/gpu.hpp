#pragma once

#include "monitors/file_reader.hpp"
#include "monitors/part.hpp"

#include <vector>

namespace ollama_proxy::monitors {

/// Every graphics card under `class/drm`, and NVIDIA's that have no node there. Of a card in
/// runtime suspend nothing but its `power/runtime_status` is opened. NVIDIA's own driver has no
/// files for temperature or power: those come from its library.
[[nodiscard]] std::vector<Part> find_gpus(FileReader& sysfs);

/// True where NVIDIA's own driver, not nouveau, runs this card.
[[nodiscard]] bool is_nvidia(const Part& part);

/// A device on the PCI bus that is no graphics card (an NPU), by its address.
[[nodiscard]] Part find_pci_device(FileReader& sysfs, const std::string& address);

}  // namespace ollama_proxy::monitors
