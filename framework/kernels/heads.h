#pragma once

#include <cstdint>

#include "kernels/attention.h"

// Work on the heads of a row, its slices of columns, each by itself.
namespace attune::kernels {

// How the columns of a matrix are cut into heads: n_heads of one width or, where `widths`
// [n_heads] is given, of these.
struct HeadColumns {
  Index n_heads = 1;
  View<const std::int32_t> widths = {};

  // f(head, its first column, its width), in order.
  template <class F>
  void for_each(Index columns, F&& f) const {
    Index first = 0;
    for (Index h = 0; h < n_heads; ++h) {
      const Index width = widths ? widths[h] : columns / n_heads;
      f(h, first, width);
      first += width;
    }
  }
};

// A ShapeError that names `kernel` and `operand` unless the heads, each of a column at least, fill
// these columns.
void check_heads(const char* kernel, const char* operand, const HeadColumns& heads, Index columns);

enum class HeadNorm { rms, layer, unit };

// Normalisation of each head of each row, of d columns, by itself: y = gain · x̂ with
//   rms    x̂ = x / √(mean x² + eps)                  (Zhang and Sennrich 2019)
//   layer  x̂ = (x − mean x) / √(var x + eps)         (Ba et al. 2016, without bias)
//   unit   x̂ = x / |x|, 0 for a head of zeros        (Henry et al. 2020)
//   x, y [n, columns]; gain [columns] or absent: 1
// On queries and keys this is QK-norm (Dehghani et al. 2023, ViT-22B). A head's bits depend on that
// head and its gain. Operands that don't fit are a ShapeError.
template <class Real>
void head_norm(HeadNorm kind, const HeadColumns& heads, Rows<const Real> x, View<const Real> gain,
               Real eps, Rows<Real> y);

// Adds to dx and to dgain (each may be absent), with x̂ formed again, g = gain · dy and 1/r the
// divisor above:
//   dx = r (g − x̂ mean(g x̂)),   for layer less r mean g,   for unit the sum of g x̂, not its mean
//   dgain = Σ_rows dy x̂, rows by chunks
template <class Real>
void head_norm_backward(HeadNorm kind, const HeadColumns& heads, Rows<const Real> dy,
                        Rows<const Real> x, View<const Real> gain, Real eps, Rows<Real> dx,
                        View<Real> dgain);

// y = gain_h · x for the columns of head h; heads of one column make this a gain by column.  x, y
// [n, columns], which may be the same; gain [n_heads]
template <class Real>
void scale_heads(const HeadColumns& heads, Rows<const Real> x, View<const Real> gain, Rows<Real> y);
// dx += gain_h · dy,   dgain_h += Σ dy · x of the head's columns, rows by chunks; each may be
// absent.
template <class Real>
void scale_heads_backward(const HeadColumns& heads, Rows<const Real> dy, Rows<const Real> x,
                          View<const Real> gain, Rows<Real> dx, View<Real> dgain);

// y [n, times · d] = x [n, d] side by side: one head's columns for several.
template <class Real>
void repeat_columns(View<const Real> x, View<Real> y);
// dx += the sum of dy's copies, in order.
template <class Real>
void repeat_columns_backward(View<const Real> dy, View<Real> dx);

}  // namespace attune::kernels
