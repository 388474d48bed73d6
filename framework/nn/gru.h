#pragma once

#include <string>
#include <vector>

#include "nn/pass.h"

namespace attune {

// A gated recurrent unit (kernels/gru.h) of d_hidden states over rows of d_in columns. Parameters
// `<path>.{w_ih,w_hh,b_ih,b_hh}`, gates stacked as r, z, n.
class Gru {
 public:
  struct States {
    Var rows;  // [n, d_hidden], behind each row
    Var last;  // [n_sequences, d_hidden], behind each sequence
  };

  Gru() = default;
  Gru(Registry& r, const std::string& path, Index d_in, Index d_hidden);

  // Sequences of x bounded by offsets, from the states `first` [n_sequences, d_hidden], or from 0.
  template <class Real>
  States operator()(const Pass<Real>& pass, Var x, Var first, View<const std::int32_t> offsets,
                    const GruOptions& options = {}) const {
    const GruVars learned{pass[w_ih_], pass[w_hh_], pass[b_ih_], pass[b_hh_]};
    const Var rows = gru(pass.tape, x, learned, first, offsets, options);
    return {rows, Tape<Real>::output(rows, 1)};
  }

 private:
  ParameterId w_ih_, w_hh_, b_ih_, b_hh_;
};

// Layers of them that read an example's rows, each the states of the one before. With
// `bidirectional` a layer has a second unit, which reads from the last row on (Schuster and Paliwal
// 1997), and states are those of both side by side. Parameters `gru<i>.*`, `gru<i>.reverse.*`.
class GruEncoder {
 public:
  GruEncoder() = default;
  GruEncoder(Registry& r, Index d_in, Index d_hidden, Index n_layers, bool bidirectional);

  // The states of the last layer, behind each row [n, width()]; `last` gets those of each layer
  // behind each example, [n_examples, width()].
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x, View<Var> last) const;
  Index width() const { return width_; }

 private:
  std::vector<Gru> forward_, reverse_;
  Index width_ = 0;
};

}  // namespace attune
