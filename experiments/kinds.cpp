#include "experiments/kinds.h"

#include "experiments/baseline.h"
#include "experiments/op_cost.h"
#include "experiments/train.h"

namespace attune {

const std::vector<Kind>& all_kinds() {
  static const std::vector<Kind> kinds = {train_kind, baseline_kind, op_cost_kind};
  return kinds;
}

}  // namespace attune
