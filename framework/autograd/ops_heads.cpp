// Ops on the heads of a row: normalisation and gain by head.
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/heads.h"

namespace attune {
namespace {

template <class Real>
kernels::HeadColumns norm_heads(const OpCall<Real>& c) {
  return {c.template as<HeadNormOptions>().n_heads, c.index[0]};
}
template <class Real>
Real eps_of(const OpCall<Real>& c) {
  return static_cast<Real>(c.template as<HeadNormOptions>().eps);
}

template <class Real>
void norm_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, head_norm_op, 0, 2);
  kernels::check_heads("head_norm", "x", norm_heads(c), x[1]);
  if (c.in[1]) same_shape(c, head_norm_op, 1, {x[1]});
  s.out[0] = x;
}
template <class Real>
void norm_forward(OpCall<Real>& c) {
  kernels::head_norm<Real>(c.template as<HeadNormOptions>().kind, norm_heads(c), c.in[0], c.in[1],
                           eps_of(c), c.out[0]);
}

// The rows of a gradient, absent where nobody wants it.
template <class Real>
kernels::Rows<Real> rows_of(View<Real> gradient) {
  return gradient ? kernels::Rows<Real>(gradient) : kernels::Rows<Real>();
}

template <class Real>
void norm_backward(OpCall<Real>& c) {
  kernels::head_norm_backward<Real>(c.template as<HeadNormOptions>().kind, norm_heads(c),
                                    c.grad_out[0], c.in[0], c.in[1], eps_of(c),
                                    rows_of(c.grad_in[0]), c.grad_in[1]);
}

template <class Real>
kernels::HeadColumns scaled_heads(const OpCall<Real>& c) {
  return {c.in[1].dim(0), c.index[0]};
}
template <class Real>
void scale_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, scale_heads_op, 0, 2);
  rank_of(c, scale_heads_op, 1, 1);
  kernels::check_heads("scale_heads", "x", scaled_heads(c), x[1]);
  s.out[0] = x;
}
template <class Real>
void scale_forward(OpCall<Real>& c) {
  kernels::scale_heads<Real>(scaled_heads(c), c.in[0], c.in[1], c.out[0]);
}
template <class Real>
void scale_backward(OpCall<Real>& c) {
  kernels::scale_heads_backward<Real>(scaled_heads(c), c.grad_out[0], c.in[0], c.in[1],
                                      rows_of(c.grad_in[0]), c.grad_in[1]);
}

}  // namespace

void HeadNormOptions::fields(FieldList& f) {
  f.integer("n_heads", n_heads, {1, 4096}, Role::result, "heads of a row");
  f.choice("kind", kind,
           {{"rms", kernels::HeadNorm::rms},
            {"layer", kernels::HeadNorm::layer},
            {"unit", kernels::HeadNorm::unit}},
           Role::result, "RMSNorm, LayerNorm, or length 1");
  f.real("eps", eps, {0, 1}, Role::result, "added under the root; not for unit");
}

const Op head_norm_op{
    .name = "head_norm",
    .maths = "y = gain · x / sqrt(mean x² + eps) by head; layer: of x − mean x; unit: x / |x|",
    .inputs = {{"x", "[n, d]"}, {"gain", "[d]", true}},
    .indices = {{"widths", "[n_heads]", true}},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<HeadNormOptions>,
    .f32 = {norm_shapes<float>, norm_forward<float>, norm_backward<float>},
    .f64 = {norm_shapes<double>, norm_forward<double>, norm_backward<double>},
};

const Op scale_heads_op{
    .name = "scale_heads",
    .maths = "y = gain_h · x for the columns of head h",
    .inputs = {{"x", "[n, d]"}, {"gain", "[n_heads]"}},
    .indices = {{"widths", "[n_heads]", true}},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {scale_shapes<float>, scale_forward<float>, scale_backward<float>},
    .f64 = {scale_shapes<double>, scale_forward<double>, scale_backward<double>},
};

}  // namespace attune
