// Events between processes come out as they went in.
#include "launch/event_lines.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace attune {
namespace {

Event there_and_back(const Event& event) {
  const std::string line = line_of(to_json(event));
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  return from_json(Json::parse(line, "line"));
}

TEST(EventLines, EveryEventIsReadBack) {
  const auto started = std::get<TrialStarted>(there_and_back(TrialStarted{3, 7, "a-s0", 20, 100}));
  EXPECT_EQ(started.trial, 3);
  EXPECT_EQ(started.n_trials, 7);
  EXPECT_EQ(started.stem, "a-s0");
  EXPECT_EQ(started.from_step, 20);
  EXPECT_EQ(started.n_steps, 100);
  const auto evaluated =
      std::get<Evaluated>(there_and_back(Evaluated{2, 9, {{"val/loss", 0.1}, {"val/auc", 1.0}}}));
  EXPECT_EQ(evaluated.step, 9);
  EXPECT_EQ(evaluated.metrics, (ShownMetrics{{"val/loss", 0.1}, {"val/auc", 1.0}}));
  EXPECT_EQ(std::get<Checkpointed>(there_and_back(Checkpointed{4, 5})).step, 5);
  for (const auto how : {TrialEnded::How::finished, TrialEnded::How::diverged,
                         TrialEnded::How::stopped, TrialEnded::How::failed}) {
    const auto ended = std::get<TrialEnded>(
        there_and_back(TrialEnded{1, how, 8, 2.5, {{"test/loss", 3}}, "\"so\"\nand so"}));
    EXPECT_EQ(ended.how, how);
    EXPECT_EQ(ended.seconds, 2.5);
    EXPECT_EQ(ended.final, (ShownMetrics{{"test/loss", 3}}));
    EXPECT_EQ(ended.why, "\"so\"\nand so");
  }
  EXPECT_EQ(std::get<Notice>(there_and_back(Notice{"again"})).text, "again");
}

TEST(EventLines, NumbersThatJsonHasNotAreKept) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(std::get<Stepped>(there_and_back(Stepped{1, 2, infinity})).loss, infinity);
  EXPECT_EQ(std::get<Stepped>(there_and_back(Stepped{1, 2, -infinity})).loss, -infinity);
  EXPECT_TRUE(std::isnan(std::get<Stepped>(there_and_back(Stepped{1, 2, std::nan("")})).loss));
}

TEST(EventLines, WhatIsNoEventIsRefused) {
  for (const char* text :
       {"{}", "[]", "{\"event\": \"stepped\"}", "{\"event\": 3}",
        "{\"event\": \"ended\", \"trial\": 1, \"step\": 2, \"how\": \"so\"}",
        "{\"event\": \"evaluated\", \"trial\": 1, \"step\": 2, \"metrics\": [1]}"})
    EXPECT_THROW(from_json(Json::parse(text, "line")), DamagedError) << text;
}

}  // namespace
}  // namespace attune
