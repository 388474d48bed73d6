#include "nn/gru.h"

namespace attune {

Gru::Gru(Registry& r, const std::string& path, Index d_in, Index d_hidden) {
  const auto bias = [&](const char* name) {
    return r.parameter(path + name, {3 * d_hidden}, Initialiser::zeros(), Decay::no);
  };
  w_ih_ = r.parameter(path + ".w_ih", {3 * d_hidden, d_in}, r.weights(), Decay::yes);
  w_hh_ = r.parameter(path + ".w_hh", {3 * d_hidden, d_hidden}, r.weights(), Decay::yes);
  b_ih_ = bias(".b_ih");
  b_hh_ = bias(".b_hh");
}

GruEncoder::GruEncoder(Registry& r, Index d_in, Index d_hidden, Index n_layers, bool bidirectional)
    : width_(bidirectional ? 2 * d_hidden : d_hidden) {
  for (Index i = 0; i < n_layers; ++i) {
    const std::string path = "gru" + std::to_string(i);
    const Index columns = i == 0 ? d_in : width_;
    forward_.emplace_back(r, path, columns, d_hidden);
    if (bidirectional) reverse_.emplace_back(r, path + ".reverse", columns, d_hidden);
  }
}

template <class Real>
Var GruEncoder::operator()(const Pass<Real>& pass, Var x, View<Var> last) const {
  for (std::size_t i = 0; i < forward_.size(); ++i) {
    Gru::States states = forward_[i](pass, x, {}, pass.rows.offsets);
    if (!reverse_.empty()) {
      const Gru::States back = reverse_[i](pass, x, {}, pass.rows.offsets, {.reverse = true});
      states = {concat_columns(pass.tape, states.rows, back.rows),
                concat_columns(pass.tape, states.last, back.last)};
    }
    x = states.rows;
    last[static_cast<Index>(i)] = states.last;
  }
  return x;
}

template Var GruEncoder::operator()(const Pass<float>&, Var, View<Var>) const;
template Var GruEncoder::operator()(const Pass<double>&, Var, View<Var>) const;

}  // namespace attune
