#include "train/probes/update_ratios.h"

#include <cmath>

namespace attune {
namespace {

class UpdateRatios : public Probe {
 public:
  UpdateRatios(const UpdateRatiosOptions& options, const ProbeSubject& subject)
      : options_(options), subject_(subject), before_(subject.learner.registry()) {}

  ProbeTable table() const override {
    ProbeTable table = options_.info().table();
    const Registry& registry = subject_.learner.registry();
    for (const ParameterId id : registry.by_name())
      table.dimensions[1].words.push_back(registry[id].name);
    return table;
  }

  Row at_gradient(Index step) override {
    if (!options_.due(step, *subject_.steps - 1)) return {};
    const View<float> values = subject_.learner.values();
    std::copy(values.begin(), values.end(), before_.all().begin());
    return {};
  }

  Row at_update(Index step) override {
    if (!options_.due(step, *subject_.steps - 1)) return {};
    const std::vector<ParameterId>& ids = subject_.learner.registry().by_name();
    const std::size_t n = ids.size();
    std::vector<double> row(3 * n);
    for (std::size_t i = 0; i < n; ++i) {
      const View<float> before = before_[ids[i]], after = subject_.learner.value(ids[i]);
      double moved = 0, size = 0;
      for (Index j = 0; j < before.size(); ++j) {
        const double was = before[j], difference = after[j] - was;
        moved += difference * difference;
        size += was * was;
      }
      row[n + i] = std::sqrt(moved);
      row[2 * n + i] = std::sqrt(size);
      row[i] = row[n + i] / row[2 * n + i];
    }
    return row;
  }

 private:
  UpdateRatiosOptions options_;
  ProbeSubject subject_;
  ParameterBlock<float> before_;
};

}  // namespace

const ProbeInfo& UpdateRatiosOptions::info() const {
  static const ProbeInfo info{
      "update_ratios",
      "how far an update moves each parameter, as a share of its norm",
      {"step", "parameter"},
      {{"ratio", "1", "L2 norm of the update over that of the parameter"},
       {"update", "1", "L2 norm of the update"},
       {"norm", "1", "L2 norm of the parameter before the update"}},
      "update of the parameters after `step` updates, as the optimiser made it, weight decay "
      "included"};
  return info;
}

std::unique_ptr<Probe> UpdateRatiosOptions::make(const ProbeSubject& subject) const {
  return std::make_unique<UpdateRatios>(*this, subject);
}

}  // namespace attune
