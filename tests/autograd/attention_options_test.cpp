#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "kernels/attention/parts.h"

namespace attune {
namespace {

Field& field(FieldList& fields, std::string_view name) {
  for (const auto& entry : fields.entries()) {
    const auto* f = std::get_if<Field>(&entry);
    if (f != nullptr && f->name == name) return const_cast<Field&>(*f);
  }
  throw std::logic_error("no such field");
}

TEST(AttentionOptions, ScaleIsAutoOrAFiniteNumber) {
  AttentionOptions options;
  FieldList fields;
  options.fields(fields);
  const Field& scale = field(fields, "scale");
  EXPECT_EQ(to_text(scale.get()), "auto");
  EXPECT_EQ(scale.set_literal({{"0.25"}, false}), "");
  EXPECT_EQ(options.scale, 0.25);
  for (const char* wrong : {"", "often", "1x", "inf", "nan"}) {
    EXPECT_EQ(scale.set_literal({{wrong}, false}), "is neither auto nor a finite number") << wrong;
    EXPECT_EQ(options.scale, 0.25);
  }
  EXPECT_EQ(scale.set_literal({{"auto"}, false}), "");
  EXPECT_EQ(options.scale, std::nullopt);
}

// Auto is 1/√d_k for scaled_dot and 1 for the others.
TEST(AttentionOptions, AutoScaleIsTheScores) {
  const auto output = [](kernels::Score score, std::optional<double> scale) {
    static const double q[] = {1, 2, -1, 0.5}, k[] = {0.5, 1, 1, -1, 2, 0, 0, 1}, v[] = {1, 2};
    static const std::int32_t one[] = {0, 1}, two[] = {0, 2};
    Arena arena;
    Tape<double> tape(arena, false);
    AttentionOptions options;
    options.score = score;
    options.scale = scale;
    AttentionVars learned;
    if (score == kernels::Score::additive) learned.w = tape.constant({q, {1, 4}});
    const Var y =
        attention(tape, tape.constant({q, {1, 4}}), tape.constant({k, {2, 4}}),
                  tape.constant({v, {2, 1}}), learned, {{one, {2}}, {two, {2}}, {}}, options);
    return tape.value(y)[0];
  };
  using kernels::Score;
  EXPECT_EQ(output(Score::scaled_dot, {}), output(Score::dot, 0.5));
  EXPECT_EQ(output(Score::dot, {}), output(Score::scaled_dot, 1.0));
  EXPECT_EQ(output(Score::additive, {}), output(Score::additive, 1.0));
  EXPECT_NE(output(Score::dot, {}), output(Score::scaled_dot, {}));
}

TEST(AttentionOptions, ARefusedCombinationIsAComplaintOfTheConfig) {
  AttentionOptions options;
  FieldList fields;
  options.fields(fields);
  const auto complaint = [&] { return fields.rules().front()(); };
  EXPECT_FALSE(complaint());
  options.pattern = AttentionPattern::edges;
  options.select = kernels::Select::two_stage_top_k;
  ASSERT_TRUE(complaint());
  EXPECT_EQ(complaint()->key, "select");
  EXPECT_EQ(complaint()->also, std::vector<std::string>{"pattern"});
}

}  // namespace
}  // namespace attune
