#pragma once

#include "monitors/energy_ledger.hpp"
#include "ollama_proxy/common/snapshot_cell.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"

#include <memory>

namespace ollama_proxy::monitors {

/// The sensors' values and the energy of each backend, looked up whenever somebody asks for the
/// metrics. What is gone by then shows nothing.
void offer_metrics(const std::shared_ptr<EnergyLedger::Impl>& energy,
                   const std::shared_ptr<SnapshotCell<SystemSnapshot>>& snapshot);

/// Counts and logs a change of the thermal state between two snapshots.
void tell_thermal_events(const SystemSnapshot& before, const SystemSnapshot& now);

}  // namespace ollama_proxy::monitors
