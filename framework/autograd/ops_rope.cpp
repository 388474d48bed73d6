#include "autograd/absent.h"
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/rope.h"

namespace attune {
namespace {

template <class Real>
void shapes(const OpCall<Real>& c, OpShapes& s) {
  s.out[0] = rank_of(c, rope_op, 0, 2);
}

template <class Real>
void forward(OpCall<Real>& c) {
  const auto& o = c.template as<RopeOptions>();
  kernels::rope<Real>(o.n_heads, o.base, c.in[0], c.index[0], c.out[0]);
}

template <class Real>
void backward(OpCall<Real>& c) {
  const auto& o = c.template as<RopeOptions>();
  kernels::rope_backward<Real>(o.n_heads, o.base, c.grad_out[0], c.index[0], c.grad_in[0]);
}

}  // namespace

void RopeOptions::fields(FieldList& f) {
  f.integer("n_heads", n_heads, {1, 4096}, Role::result, "heads side by side in a row");
  f.real("base", base, {1, 1e12}, Role::result, "the slowest pair turns by about 1/base a step");
}

const Op rope_op{
    .name = "rope",
    .maths =
        "y_i = x_i cos φ_i − x_{i+d/2} sin φ_i, y_{i+d/2} = x_{i+d/2} cos φ_i + x_i sin φ_i by "
        "head, φ_i = position · base^(−2i/d); with rows and columns as positions the halves of "
        "a head turn by one each",
    .inputs = {{"x", "[n, n_heads·d]"}},
    .indices = {{"positions", "[n] or [n, 2]", false, &absent::numbered_rows}},
    .outputs = {{"y", "[n, n_heads·d]"}},
    .options = make_options<RopeOptions>,
    .f32 = {shapes<float>, forward<float>, backward<float>},
    .f64 = {shapes<double>, forward<double>, backward<double>},
};

}  // namespace attune
