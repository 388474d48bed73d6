#include <gtest/gtest.h>

#include "datasets/images.h"
#include "nn/transformer.h"
#include "tests/small_images.h"
#include "tests/storage/sample.h"
#include "train/recorder.h"
#include "train/trainer.h"

namespace attune {
namespace {

// Noise whose label is its group's number modulo 12: nothing to understand, all to be learnt by
// heart. A model that cannot do this underfits, whatever it is shown.
TEST(Fit, WithoutDropoutTheModelLearnsItsTrainingImagesByHeart) {
  const TemporaryFolder folder;
  write_small_images(folder / "noise.h5", 40, 12);
  ImagesOptions images;
  images.file = folder / "noise.h5";
  images.split.by = SplitOptions::By::example;
  images.split.stratify = SplitOptions::Stratify::none;
  TrainerOptions options;
  options.model.kind = "vit";
  auto& vit = static_cast<VitOptions&>(options.model.find("vit"));
  vit.patch = 8;
  vit.d_model = 64;
  vit.n_layers = 2;
  vit.dropout = 0;
  vit.attention.dropout = 0;
  options.optim.adamw.lr = 1e-3;
  options.optim.adamw.weight_decay = 0;
  options.schedule.cosine.warmup = 20;
  options.train.steps = 250;
  options.train.batch_size = 32;
  options.train.eval_every = 250;
  const auto data = images.open({.patch = vit.patch, .seed = 0});
  Recorder recorder;
  Trainer(options, *data, 1, recorder).run();
  const MetricTable& train = recorder.content().metrics.at("train");
  for (std::size_t m = 0; m < train.info.size(); ++m) {
    if (train.info[m].name != "accuracy") continue;
    ASSERT_EQ(train.values[m].size(), 250U);
    EXPECT_LT(train.values[m].front(), 0.5);
    double sum = 0;
    for (std::size_t step = 240; step < 250; ++step) sum += train.values[m][step];
    EXPECT_GT(sum / 10, 0.95);
    return;
  }
  FAIL() << "no training accuracy was recorded";
}

}  // namespace
}  // namespace attune
