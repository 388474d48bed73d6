// Where time goes: every application of an op is counted once in each direction, and the trace is
// what other programs read.
#include "autograd/profile.h"

#include <gmock/gmock.h>

#include "autograd/ops.h"
#include "base/json.h"

namespace attune {
namespace {

using testing::HasSubstr;

// Three steps of y = W2 gelu(W1 x).
Profile profiled() {
  Profile profile;
  Arena arena;
  Tape<float> tape(arena);
  tape.set_profile(&profile);
  std::vector<float> x(6 * 4, 0.5F), w(2 * 4 * 4, 0.1F), grads(2 * 4 * 4), upstream(6 * 4, 1.0F);
  for (int step = 0; step < 3; ++step) {
    tape.reset();
    Var y = tape.constant({x.data(), {6, 4}});
    for (const Index at : {0, 16}) {
      if (at > 0) y = gelu(tape, y);
      y = linear(tape, y, tape.parameter({w.data() + at, {4, 4}}, {grads.data() + at, {4, 4}}));
    }
    const Tape<float>::Seed seed{y, {upstream.data(), {6, 4}}};
    tape.backward({&seed, 1});
    { const ProfileSpan span(&profile, "rest"); }
    profile.end_step();
  }
  return profile;
}

TEST(Profile, CountsEachOpOnceInEachDirectionOfWarmSteps) {
  const Profile profile = profiled();
  EXPECT_EQ(profile.n_steps(), 3U);
  EXPECT_EQ(profile.n_warm_steps(), 2U);
  std::map<std::pair<std::string_view, std::string_view>, Profile::Line> lines;
  double sum = 0;
  for (const Profile::Line& line : profile.lines()) {
    lines[{line.name, name_of(line.phase)}] = line;
    sum += line.seconds;
    EXPECT_GE(line.seconds, 0);
  }
  EXPECT_EQ(lines.size(), 5U);
  EXPECT_EQ((lines[{"linear", "forward"}].calls), 4);
  EXPECT_EQ((lines[{"linear", "backward"}].calls), 4);
  EXPECT_EQ((lines[{"gelu", "forward"}].calls), 2);
  EXPECT_EQ((lines[{"rest", "other"}].calls), 2);
  // A product of 6 × 4 by 4 × 4 has 192 operations; the first layer's input wants no gradient.
  EXPECT_EQ((lines[{"linear", "forward"}].flops), 2 * 2 * 192);
  EXPECT_EQ((lines[{"linear", "backward"}].flops), 2 * (1 + 2) * 192);
  EXPECT_EQ((lines[{"gelu", "backward"}].flops), 0);
  // Four results of 6 × 4 floats have been taken when the second product is there, and gradients
  // after it; spans that are no op's don't know.
  EXPECT_GE((lines[{"linear", "forward"}].bytes), 4U * 6 * 4 * 4);
  EXPECT_GT((lines[{"gelu", "backward"}].bytes), (lines[{"linear", "forward"}].bytes));
  EXPECT_EQ((lines[{"rest", "other"}].bytes), 0U);
  EXPECT_LE(sum, profile.seconds());
}

TEST(Profile, OfOneStepCountsThatOne) {
  Profile profile;
  { const ProfileSpan span(&profile, "a"); }
  EXPECT_EQ(profile.seconds(), 0);  // no step has ended
  profile.end_step();
  EXPECT_EQ(profile.n_warm_steps(), 1U);
  ASSERT_EQ(profile.lines().size(), 1U);
  EXPECT_EQ(profile.lines().front().calls, 1);
}

TEST(Profile, ItsTraceIsWhatTraceViewersRead) {
  const Json trace = Json::parse(profiled().trace(), "trace");
  const Json::List& events = *trace.find("traceEvents")->list();
  ASSERT_EQ(events.size(), 3U * (2 + 1 + 3 + 1));  // linear, gelu, their backward, rest
  double last = 0;
  for (const Json& event : events) {
    EXPECT_EQ(*event.find("ph")->text(), "X");
    EXPECT_GE(*event.find("ts")->real(), last);
    EXPECT_GE(*event.find("dur")->real(), 0);
    last = *event.find("ts")->real();
  }
  EXPECT_EQ(*events.front().find("name")->text(), "linear forward");
  EXPECT_EQ(Json::parse(profiled().trace(4), "trace").find("traceEvents")->list()->size(), 4U);
}

}  // namespace
}  // namespace attune
