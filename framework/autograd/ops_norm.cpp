#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/attention/parts.h"
#include "kernels/layer_norm.h"
#include "kernels/rms_norm.h"
#include "kernels/softmax_rows.h"

namespace attune {
namespace {

template <class Real>
Real eps_of(const OpCall<Real>& c) {
  return static_cast<Real>(c.template as<NormOptions>().eps);
}

template <class Real>
Shape norm_shapes(const OpCall<Real>& c, const Op& op, OpShapes& s) {
  const Shape x = rank_of(c, op, 0, 2);
  for (std::size_t i = 1; i < op.inputs.size(); ++i)
    if (c.in[i]) same_shape(c, op, i, {x[1]});
  s.out[0] = x;
  return x;
}

template <class Real>
void layer_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = norm_shapes(c, layer_norm_op, s);
  s.save({x[0]});  // mean
  s.save({x[0]});  // rstd
}

// Row statistics go to `saved` when a backward will come, to scratch when not.
template <class Real>
View<Real> kept(OpCall<Real>& c, std::size_t i, Scratch& scratch) {
  return c.training ? c.saved[i] : scratch.view<Real>({c.in[0].dim(0)});
}

template <class Real>
void layer_forward(OpCall<Real>& c) {
  Scratch scratch;
  kernels::layer_norm<Real>(c.in[0], c.in[1], c.in[2], eps_of(c), c.out[0], kept(c, 0, scratch),
                            kept(c, 1, scratch));
}

template <class Real>
void layer_backward(OpCall<Real>& c) {
  c.zero_fresh(1);
  kernels::layer_norm_backward<Real>(c.grad_out[0], c.in[0], c.in[1], c.saved[0], c.saved[1],
                                     c.grad_in[0], c.grad_in[1], c.grad_in[2], c.fresh[0]);
}

template <class Real>
void rms_shapes(const OpCall<Real>& c, OpShapes& s) {
  s.save({norm_shapes(c, rms_norm_op, s)[0]});  // 1 / root mean square
}

template <class Real>
void rms_forward(OpCall<Real>& c) {
  Scratch scratch;
  kernels::rms_norm<Real>(c.in[0], c.in[1], c.in[2], eps_of(c), c.out[0], kept(c, 0, scratch));
}

template <class Real>
void rms_backward(OpCall<Real>& c) {
  kernels::rms_norm_backward<Real>(c.grad_out[0], c.in[0], c.in[1], c.saved[0], c.grad_in[0],
                                   c.grad_in[1], c.grad_in[2]);
}

template <class Real>
Real temperature_of(const OpCall<Real>& c) {
  return static_cast<Real>(c.template as<SoftmaxOptions>().temperature);
}

// The three normalisers of attention as ops on rows.
template <kernels::Normaliser kNormaliser>
struct RowNormaliser {
  template <class Real>
  static void shapes(const OpCall<Real>& c, OpShapes& s) {
    s.out[0] = rank_of(c, softmax_op, 0, 2);
  }
  template <class Real>
  static void forward(OpCall<Real>& c) {
    kernels::normalise_rows<Real>(kNormaliser, c.in[0], c.index[0], temperature_of(c), c.out[0]);
  }
  template <class Real>
  static void backward(OpCall<Real>& c) {
    kernels::normalise_rows_backward<Real>(kNormaliser, c.grad_out[0], c.out[0], c.index[0],
                                           temperature_of(c), c.grad_in[0]);
  }
  static Op op(std::string_view name, std::string_view maths) {
    return {.name = name,
            .maths = maths,
            .inputs = {{"x", "[n, c]"}},
            .indices = {{"lengths", "[n]", true}},
            .outputs = {{"y", "[n, c]"}},
            .options = make_options<SoftmaxOptions>,
            .f32 = {shapes<float>, forward<float>, backward<float>},
            .f64 = {shapes<double>, forward<double>, backward<double>}};
  }
};

}  // namespace

void NormOptions::fields(FieldList& f) {
  f.real("eps", eps, {0.0, 1.0}, Role::result, "added to the variance");
}

void SoftmaxOptions::fields(FieldList& f) {
  f.real("temperature", temperature, {1e-6, 1e6}, Role::result, "divides the scores");
}

const Op layer_norm_op{
    .name = "layer_norm",
    .maths = "y = gain · (x − mean) / sqrt(var + eps) + bias by row, biased variance",
    .inputs = {{"x", "[n, d]"}, {"gain", "[d]"}, {"bias", "[d]", true}},
    .indices = {},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<NormOptions>,
    .f32 = {.shapes = layer_shapes<float>,
            .forward = layer_forward<float>,
            .backward = layer_backward<float>,
            .begins_gradients = true},
    .f64 = {.shapes = layer_shapes<double>,
            .forward = layer_forward<double>,
            .backward = layer_backward<double>,
            .begins_gradients = true},
};

const Op rms_norm_op{
    .name = "rms_norm",
    .maths = "y = gain · x / sqrt(mean(x²) + eps) + bias by row",
    .inputs = {{"x", "[n, d]"}, {"gain", "[d]"}, {"bias", "[d]", true}},
    .indices = {},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<NormOptions>,
    .f32 = {rms_shapes<float>, rms_forward<float>, rms_backward<float>},
    .f64 = {rms_shapes<double>, rms_forward<double>, rms_backward<double>},
};

const Op softmax_op = RowNormaliser<kernels::Normaliser::softmax>::op(
    "softmax", "y = exp(x/temperature) / Σ exp(x/temperature) by row, within its length");
const Op sparsemax_op = RowNormaliser<kernels::Normaliser::sparsemax>::op(
    "sparsemax", "y = [x/temperature − τ]₊ with Σ y = 1 by row, within its length");
const Op entmax15_op = RowNormaliser<kernels::Normaliser::entmax15>::op(
    "entmax15", "y = [x/(2 temperature) − τ]₊² with Σ y = 1 by row, within its length");

}  // namespace attune
