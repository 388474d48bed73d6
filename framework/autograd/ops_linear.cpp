#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/feed_forward.h"
#include "kernels/linear.h"
#include "kernels/pointwise.h"

namespace attune {
namespace {

template <class Real>
void shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, linear_op, 0, 2), w = rank_of(c, linear_op, 1, 2);
  ATTUNE_CHECK(x[1] == w[1], ShapeError,
               "[linear] x {} has {} columns, weight {} takes {}: weight is [d_out, d_in]",
               x.text(), x[1], w.text(), w[1]);
  if (c.in[2]) same_shape(c, linear_op, 2, {w[0]});
  s.out[0] = {x[0], w[0]};
}

template <class Real>
void forward(OpCall<Real>& c) {
  kernels::linear<Real>(c.in[0], c.in[1], c.in[2], c.out[0]);
}

template <class Real>
void backward(OpCall<Real>& c) {
  c.zero_fresh(1);
  if (c.grad_in[0])
    kernels::linear_backward_input<Real>(c.grad_out[0], c.in[1], c.grad_in[0], c.fresh[0]);
  kernels::linear_backward_weight<Real>(c.grad_out[0], c.in[0], c.grad_in[1], c.grad_in[2]);
}

// A product each for the gradients of x and of the weight.
template <class Real>
double flops(const OpCall<Real>& c, bool backward) {
  const int products = backward ? bool(c.grad_in[0]) + bool(c.grad_in[1]) : 1;
  return 2.0 * products * static_cast<double>(c.in[0].size()) * static_cast<double>(c.in[1].dim(0));
}

template <class Real>
void add_bias_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, add_bias_op, 0, 2);
  same_shape(c, add_bias_op, 1, {x[1]});
  s.out[0] = x;
}

template <class Real>
void add_bias_forward(OpCall<Real>& c) {
  kernels::add_bias<Real>(c.in[0], c.in[1], c.out[0]);
}

template <class Real>
void add_bias_backward(OpCall<Real>& c) {
  if (c.grad_in[0]) kernels::accumulate<Real>(c.grad_out[0], c.grad_in[0]);
  if (c.grad_in[1]) kernels::linear_backward_bias<Real>(c.grad_out[0], c.grad_in[1]);
}

template <class Real>
void feed_forward_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, feed_forward_op, 0, 2), w1 = rank_of(c, feed_forward_op, 1, 2),
              w2 = rank_of(c, feed_forward_op, 3, 2);
  ATTUNE_CHECK(x[1] == w1[1] && w2[1] == w1[0], ShapeError,
               "[feed_forward] x {}, w1 {} and w2 {} don't fit: they must be [n, d_in], [d_hidden, "
               "d_in] and [d_out, d_hidden]",
               x.text(), w1.text(), w2.text());
  if (c.in[2]) same_shape(c, feed_forward_op, 2, {w1[0]});
  if (c.in[4]) same_shape(c, feed_forward_op, 4, {w2[0]});
  s.out[0] = {x[0], w2[0]};
  s.save({x[0], w1[0]});  // GELU
  s.save({x[0], w1[0]});  // its derivative
}

template <class Real>
void feed_forward_forward(OpCall<Real>& c) {
  kernels::feed_forward<Real>(c.template as<GeluOptions>().approximate, c.in[0],
                              {c.in[1], c.in[2], c.in[3], c.in[4]}, c.saved[0], c.saved[1],
                              c.out[0]);
}

template <class Real>
void feed_forward_backward(OpCall<Real>& c) {
  c.zero_fresh(1);
  kernels::feed_forward_backward<Real>(c.grad_out[0], c.in[0], {c.in[1], c.in[2], c.in[3], c.in[4]},
                                       c.saved[0], c.saved[1], c.grad_in[0], c.fresh[0],
                                       {c.grad_in[1], c.grad_in[2], c.grad_in[3], c.grad_in[4]});
}

template <class Real>
double feed_forward_flops(const OpCall<Real>& c, bool backward) {
  const auto rows = static_cast<double>(c.in[0].dim(0)), up = static_cast<double>(c.in[1].size()),
             down = static_cast<double>(c.in[3].size());
  if (!backward) return 2 * rows * (up + down);
  return 2 * rows *
         ((bool(c.grad_in[0]) + bool(c.grad_in[1])) * up + (1 + bool(c.grad_in[3])) * down);
}

}  // namespace

const Op add_bias_op{
    .name = "add_bias",
    .maths = "y = x + b in every row",
    .inputs = {{"x", "[n, d]"}, {"bias", "[d]"}},
    .indices = {},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {.shapes = add_bias_shapes<float>,
            .forward = add_bias_forward<float>,
            .backward = add_bias_backward<float>,
            .hands_on = 0},
    .f64 = {.shapes = add_bias_shapes<double>,
            .forward = add_bias_forward<double>,
            .backward = add_bias_backward<double>,
            .hands_on = 0},
};

const Op linear_op{
    .name = "linear",
    .maths = "y = x Wᵀ + b",
    .inputs = {{"x", "[n, d_in]"}, {"weight", "[d_out, d_in]"}, {"bias", "[d_out]", true}},
    .indices = {},
    .outputs = {{"y", "[n, d_out]"}},
    .options = make_options<NoOptions>,
    .f32 = {.shapes = shapes<float>,
            .forward = forward<float>,
            .backward = backward<float>,
            .flops = flops<float>,
            .begins_gradients = true},
    .f64 = {.shapes = shapes<double>,
            .forward = forward<double>,
            .backward = backward<double>,
            .flops = flops<double>,
            .begins_gradients = true},
};

const Op feed_forward_op{
    .name = "feed_forward",
    .maths = "y = gelu(x W1ᵀ + b1) W2ᵀ + b2",
    .inputs = {{"x", "[n, d_in]"},
               {"w1", "[d_hidden, d_in]"},
               {"b1", "[d_hidden]", true},
               {"w2", "[d_out, d_hidden]"},
               {"b2", "[d_out]", true}},
    .indices = {},
    .outputs = {{"y", "[n, d_out]"}},
    .options = make_options<GeluOptions>,
    .f32 = {.shapes = feed_forward_shapes<float>,
            .forward = feed_forward_forward<float>,
            .backward = feed_forward_backward<float>,
            .flops = feed_forward_flops<float>,
            .begins_gradients = true},
    .f64 = {.shapes = feed_forward_shapes<double>,
            .forward = feed_forward_forward<double>,
            .backward = feed_forward_backward<double>,
            .flops = feed_forward_flops<double>,
            .begins_gradients = true},
};

}  // namespace attune
