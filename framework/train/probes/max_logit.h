#pragma once

#include "train/probe.h"

namespace attune {

// max_logit [step, layer, head]: the largest number that enters the normaliser, scale, gain, bias
// and temperature included, over all pairs of a query and a key that it sees in the validation
// examples. At large learning rates it grows without bound before training diverges (Dehghani et
// al. 2023; Wortsman et al. 2023). NaN where a score is. Attention that
// has no scores (linear, performer) can't be asked for it.
struct MaxLogitOptions : ValidationOptions {
  const ProbeInfo& info() const override;
  using ValidationOptions::misfit;
  std::optional<Complaint> misfit(const std::string& kind,
                                  const ModelOptions& model) const override;
  std::unique_ptr<Probe> make(const ProbeSubject& subject) const override;
};

}  // namespace attune
