// Probes of a model with two sides: which attention stands in which layer.
#include <gtest/gtest.h>

#include <cmath>

#include "datasets/transduction.h"
#include "nn/encoder_decoder.h"
#include "train/probes.h"
#include "train/recorder.h"
#include "train/trainer.h"

namespace attune {
namespace {

// One block in the encoder and one in the decoder, on sequences of 2 … 4 tokens to be copied.
TEST(ProbesOfQueries, SeeSelfAndCrossAttentionInLayersOfTheirOwn) {
  TransductionOptions copies;
  copies.min_length = 2, copies.max_length = 4, copies.vocabulary = 3;
  copies.n_train = 16, copies.n_val = copies.n_test = 8;
  const auto data = copies.open({16, 0});
  TrainerOptions options;
  options.model.kind = "encoder_decoder";
  auto& model = static_cast<EncoderDecoderOptions&>(options.model.find("encoder_decoder"));
  model.d_model = 8;
  model.n_layers = model.n_decoder_layers = 1;
  model.n_heads = 2;
  options.train.steps = 2;
  options.train.batch_tokens = 40;
  options.probes.attention_maps.emplace().steps = {"last"};
  options.probes.attention_maps->examples.count = 4;
  options.probes.attention_entropy.emplace();
  options.probes.max_logit.emplace();
  options.probes.residual_norms.emplace();
  Recorder recorder;
  Trainer(options, *data, 5, recorder).run();

  for (const ProbeTable& table : recorder.content().probes) {
    if (table.name == "attention_entropy" || table.name == "max_logit") {
      EXPECT_EQ(table.dimensions[1].numbers.size(), 3U) << table.name;
    }
    for (const auto& quantity : table.quantities) EXPECT_FALSE(quantity.values.empty());
    if (table.name != "attention_maps") continue;
    ASSERT_EQ(table.labels.size(), 2U);
    const auto& [rows, queries] = std::pair(table.labels[0].values, table.labels[1].values);
    const auto at = [&](Index e, Index layer, Index head, Index q, Index k) {
      const Index n_q = std::ssize(table.dimensions[4].numbers),
                  n_k = std::ssize(table.dimensions[5].numbers);
      return table.quantities[0]
          .values[static_cast<std::size_t>((((e * 3 + layer) * 2 + head) * n_q + q) * n_k + k)];
    };
    for (Index e = 0; e < 4; ++e) {
      const Index n = rows[static_cast<std::size_t>(e)], m = queries[static_cast<std::size_t>(e)];
      EXPECT_EQ(m, n + 1);  // the answer's tokens and its boundary
      // Encoder, decoder, and the decoder's queries with the encoder's rows.
      const Index n_queries[] = {n, m, m}, n_keys[] = {n, m, n};
      for (Index layer = 0; layer < 3; ++layer)
        for (Index q = 0; q < n_queries[layer]; ++q) {
          double total = 0;
          for (Index k = 0; k < n_keys[layer]; ++k) total += at(e, layer, 1, q, k);
          EXPECT_NEAR(total, 1, 1e-6) << "layer " << layer << " query " << q;
        }
      EXPECT_EQ(at(e, 1, 0, 0, 1), 0) << "a decoded row sees no later one";
      if (n < 4) {
        EXPECT_TRUE(std::isnan(at(e, 2, 0, 0, n)));
      }
    }
  }
}

}  // namespace
}  // namespace attune
