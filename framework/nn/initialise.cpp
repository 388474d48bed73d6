#include "nn/initialise.h"

#include <cmath>

namespace attune {

void InitOptions::fields(FieldList& f) {
  using Kind = Initialiser::Kind;
  f.choice("kind", kind,
           {{"xavier_uniform", Kind::xavier_uniform},
            {"xavier_normal", Kind::xavier_normal},
            {"kaiming_uniform", Kind::kaiming_uniform},
            {"kaiming_normal", Kind::kaiming_normal},
            {"torch_linear", Kind::torch_linear},
            {"normal", Kind::normal}},
           Role::result, "distribution of the weights of linear maps");
  f.real("scale", scale, {0.0, 1e3}, Role::result, "factor of it; of normal the deviation");
  f.boolean("depth_scaled", depth_scaled, Role::result,
            "maps into the residual stream begin smaller by sqrt(2 n_layers)");
}

Initialiser InitOptions::residual(Index n_layers) const {
  const bool scaled = depth_scaled && n_layers > 0;
  return {kind, scaled ? scale / std::sqrt(2 * static_cast<double>(n_layers)) : scale};
}

}  // namespace attune
