#include <array>

#include "autograd/ops.h"

namespace attune {

std::span<const Op* const> all_ops() {
  static const std::array ops = {
      &linear_op,
      &feed_forward_op,
      &add_bias_op,
      &sparse_linear_op,
      &add_op,
      &relu_op,
      &silu_op,
      &gelu_op,
      &elu_op,
      &tanh_op,
      &elu_plus_one_op,
      &softmax_op,
      &sparsemax_op,
      &entmax15_op,
      &layer_norm_op,
      &rms_norm_op,
      &embedding_op,
      &rope_op,
      &position_1d_op,
      &position_2d_op,
      &sinusoidal_op,
      &insert_cls_op,
      &concat_rows_op,
      &gru_op,
      &attention_op,
      &graph_attention_op,
      &edge_attention_op,
      &graph_aggregate_op,
      &head_norm_op,
      &scale_heads_op,
      &repeat_columns_op,
      &concat_columns_op,
      &mean_heads_op,
      &linear_attention_op,
      &performer_features_op,
      &project_rows_op,
      &mean_pool_op,
      &sum_pool_op,
      &repeat_rows_op,
      &first_row_op,
      &attention_pool_op,
      &cross_entropy_op,
      &mse_op,
      &binary_cross_entropy_op,
      &dropout_op,
      &dropout_residual_op,
      &sparse_dropout_op,
  };
  return ops;
}

}  // namespace attune
