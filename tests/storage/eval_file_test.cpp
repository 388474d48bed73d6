#include "storage/eval_file.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "h5/h5.h"
#include "storage/run_file.h"
#include "tests/storage/sample.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

EvalContent sample() {
  EvalContent c;
  c.study = "needle";
  c.row = "reference";
  c.identity = std::string(64, 'a');
  c.run_sha256 = std::string(64, 'b');
  c.data_sha256 = std::string(64, 'c');
  c.parameters = "chosen";
  c.step = 300;
  c.class_names = {"benign", "malign"};
  c.n_groups = 2;
  c.metrics = {{{"eval", "accuracy", 0.75, "1", "maximize", ""}, 0.5, 1.0},
               {{"eval", "auc", 0.875, "1", "maximize", ""}, {}, {}}};
  c.predictions = sample_content().predictions.at("test");
  return c;
}

// The layout is a contract that outside scripts rely on.
TEST(EvalFile, TheLayoutIsTheDocumentedOne) {
  const TemporaryFolder folder;
  write_atomically(folder / "e.h5", eval_file_bytes(sample(), "0123456789abcdef"));
  const H5File file = H5File::open(folder / "e.h5");
  const H5Group& root = file.root();
  EXPECT_THAT(root.attributes(),
              ElementsAre("Conventions", "schema", "name", "row", "identity", "run_sha256",
                          "data_sha256", "build_id", "parameters", "step", "class_names"));
  EXPECT_EQ(root.text_attribute("schema"), "attune.eval@1");
  EXPECT_THAT(root.text_list_attribute("class_names"), ElementsAre("benign", "malign"));
  const H5Group final = root.group("final");
  EXPECT_EQ(final.read_scalar<double>("eval_accuracy"), 0.75);
  EXPECT_EQ(final.attribute<double>("interval_low", "eval_accuracy"), 0.5);
  EXPECT_EQ(final.attribute<double>("interval_high", "eval_accuracy"), 1.0);
  EXPECT_EQ(final.attribute<double>("interval_level", "eval_accuracy"), 0.95);
  EXPECT_EQ(final.text_attribute("interval_over", "eval_accuracy"), "groups");
  EXPECT_EQ(final.attribute<Index>("n_groups", "eval_accuracy"), 2);
  EXPECT_FALSE(final.has_attribute("interval_low", "eval_auc"));
  const H5Group p = root.group("predictions/eval");
  EXPECT_THAT(p.read<Index>("example"), ElementsAre(4, 7, 9));
  EXPECT_THAT(p.read<Index>("group"), ElementsAre(0, 0, 5));
  EXPECT_THAT(p.read<Index>("target"), ElementsAre(1, 0, 1));
  EXPECT_THAT(p.info("output").dims, ElementsAre(3, 2));
}

TEST(EvalFile, WhatIsReadIsWhatWasWritten) {
  const TemporaryFolder folder;
  const std::string bytes = eval_file_bytes(sample(), "b");
  write_atomically(folder / "e.h5", bytes);
  EXPECT_EQ(eval_file_bytes(read_eval_file(folder / "e.h5"), "b"), bytes);
}

TEST(EvalFile, OneThatIsNoLongerWholeIsDamaged) {
  const TemporaryFolder folder;
  const auto expect = [&](const std::string& bytes, const std::string& said) {
    write_atomically(folder / "e.h5", bytes);
    EXPECT_THAT([&] { read_eval_file(folder / "e.h5"); },
                ThrowsMessage<DamagedError>(AllOf(HasSubstr("e.h5"), HasSubstr(said))));
  };
  EvalContent other = sample();
  other.class_names.push_back("third");
  expect(eval_file_bytes(other, "b"), "6 values for 3 examples of 3 classes");
  other = sample();
  other.predictions.target[1] = 2;
  expect(eval_file_bytes(other, "b"), "/target: 2 is no place in class_names");
}

TEST(EvalFile, AnotherFileIsNotTakenForOne) {
  const TemporaryFolder folder;
  write_atomically(folder / "r.h5", run_file_bytes(sample_trial(), sample_content(), "b"));
  EXPECT_THAT([&] { read_eval_file(folder / "r.h5"); },
              ThrowsMessage<DataError>(HasSubstr("its schema is attune.run@1")));
}

TEST(EvalFile, EqualContentGivesEqualBytes) {
  EXPECT_EQ(eval_file_bytes(sample(), "b"), eval_file_bytes(sample(), "b"));
  EvalContent other = sample();
  other.predictions.output[0] += 1;
  EXPECT_NE(eval_file_bytes(sample(), "b"), eval_file_bytes(other, "b"));
}

}  // namespace
}  // namespace attune
