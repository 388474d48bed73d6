#pragma once

#include "base/philox.h"
#include "tensor/view.h"

// Draws as functions of a stream and an index; docs/random.md repeats them in NumPy.
namespace attune::kernels {

// Element i of the stream at (a, b), standard normal (Box and Muller 1958): elements 2k and 2k + 1
// are r·cos(2πv) and r·sin(2πv) with r = √(−2 ln u), u = uniform(2k), v = uniform(2k + 1).
double normal(const Stream& stream, std::uint64_t i, std::uint32_t a = 0, std::uint32_t b = 0);

// y_i = std · normal(stream, i), i counting in row-major order; the bits of `normal` by itself.
template <class Real>
void fill_normal(const Stream& stream, double std, View<Real> y);

// Rows y [m, d] in blocks of d: within a block at right angles to each other (Gram and Schmidt, of
// the normals of elements 0 … m·d − 1), each as long as a row of independent normals (elements m·d
// …) (Choromanski et al. 2021, section 2.4). Each row by itself is standard normal.
template <class Real>
void fill_orthogonal(const Stream& stream, View<Real> y);

// y_i = low + (high − low) · stream.uniform(i).
template <class Real>
void fill_uniform(const Stream& stream, double low, double high, View<Real> y);

}  // namespace attune::kernels
