#pragma once

#include "train/probe.h"

namespace attune {

// update_ratios [step, parameter]: how far an update moves each parameter tensor θ,
//   update = ‖θ' − θ‖₂,  norm = ‖θ‖₂,  ratio = update / norm,
// θ after `step` updates and θ' after one more: the optimiser's true step, clipping, schedule and
// weight decay included; 1e-3 is a rule of thumb (Stanford CS231n, "Ratio of weights:updates"). A
// parameter that is zero (a bias at the start) has the ratio ∞, or NaN if it stays so. The last row
// is that of the last update.
struct UpdateRatiosOptions : EveryOptions {
  const ProbeInfo& info() const override;
  // Parameters every model has.
  using EveryOptions::misfit;
  std::optional<Complaint> misfit(const std::string&, const ModelOptions&) const override {
    return {};
  }
  std::unique_ptr<Probe> make(const ProbeSubject& subject) const override;
};

}  // namespace attune
