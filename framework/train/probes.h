#pragma once

#include "train/probes/attention_entropy.h"
#include "train/probes/attention_maps.h"
#include "train/probes/gradient_norms.h"
#include "train/probes/max_logit.h"
#include "train/probes/residual_norms.h"
#include "train/probes/update_ratios.h"

namespace attune {

// probes: what else is measured in a run.
struct ProbesOptions {
  std::optional<GradientNormsOptions> gradient_norms;
  std::optional<UpdateRatiosOptions> update_ratios;
  std::optional<ResidualNormsOptions> residual_norms;
  std::optional<AttentionEntropyOptions> attention_entropy;
  std::optional<MaxLogitOptions> max_logit;
  std::optional<AttentionMapsOptions> attention_maps;

  // The one list, in the order of `list probes` and of run files: f(probe), each an optional.
  template <class Self, class F>
  static void each(Self& self, F&& f) {
    f(self.gradient_norms);
    f(self.update_ratios);
    f(self.residual_norms);
    f(self.attention_entropy);
    f(self.max_logit);
    f(self.attention_maps);
  }

  void fields(FieldList& f);
  // Rules of who holds the group `probes` beside `model`: what the model has not can't be measured.
  void rules(FieldList& f, const ModelConfig& model) const;
  // KeyedDataError for what the data has not.
  void check(const ModelOptions& model, const Dataset& data) const;
  std::vector<std::unique_ptr<Probe>> make(const ProbeSubject& subject) const;
};

// Every probe that there is.
std::vector<ProbeInfo> listed_probes();

}  // namespace attune
