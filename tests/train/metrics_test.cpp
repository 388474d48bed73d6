#include "train/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace attune {
namespace {

Scored binary(const std::vector<float>& score, const std::vector<Index>& target) {
  Scored s;
  s.n_classes = 2;
  s.target = target;
  for (const float x : score) {
    s.logits.push_back(0);
    s.logits.push_back(x);
  }
  return s;
}

// Counting pairs, one by one: a positive above a negative counts 1, a tie ½.
double auc_by_pairs(const std::vector<float>& score, const std::vector<Index>& target) {
  double won = 0, pairs = 0;
  for (std::size_t i = 0; i < score.size(); ++i)
    for (std::size_t j = 0; j < score.size(); ++j)
      if (target[i] == 1 && target[j] == 0) {
        won += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
        pairs += 1;
      }
  return won / pairs;
}

TEST(Auc, IsTheShareOfPairsInTheRightOrder) {
  const std::vector<float> score{0.1F, 2, -1, 0.5F, 0.5F, 3, 0.5F, -1};
  const std::vector<Index> target{0, 1, 0, 1, 0, 0, 1, 1};
  EXPECT_DOUBLE_EQ(*classification_metric("auc", binary(score, target)),
                   auc_by_pairs(score, target));
  EXPECT_DOUBLE_EQ(*classification_metric("auc", binary({1, 2, 3}, {0, 1, 1})), 1.0);
  EXPECT_DOUBLE_EQ(*classification_metric("auc", binary({1, 1, 1}, {0, 1, 1})), 0.5);
}

TEST(Auc, DoesNotExistForOneClassOrThree) {
  EXPECT_FALSE(classification_metric("auc", binary({1, 2}, {1, 1})));
  Scored three;
  three.n_classes = 3;
  three.logits.assign(6, 0.0F);
  three.target = {0, 2};
  EXPECT_FALSE(classification_metric("auc", three));
}

// Each by its definition, of z = (2, −1, 0.5) and class 2.
TEST(Loss, IsWhatTheRunMinimised) {
  Scored s;
  s.n_classes = 3;
  s.target = {2};
  s.logits = {2, -1, 0.5F};
  const double total = std::exp(2.0) + std::exp(-1.0) + std::exp(0.5);
  EXPECT_NEAR(*classification_metric("loss", s), std::log(total) - 0.5, 1e-14);
  s.loss = "mse";
  EXPECT_DOUBLE_EQ(*classification_metric("loss", s), (4 + 1 + 0.25) / 3);
  s.loss = "binary_cross_entropy";
  const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  EXPECT_NEAR(*classification_metric("loss", s), (softplus(2) + softplus(-1) + softplus(-0.5)) / 3,
              1e-14);
  s.logits = {1e4F, -1e4F, -1e4F};  // 1e4 of the wrong and of the right class, over three
  EXPECT_DOUBLE_EQ(*classification_metric("loss", s), 2e4 / 3);
}

TEST(Confusion, CountsWhatEachClassIsTakenFor) {
  Scored s;
  s.n_classes = 3;
  s.target = {0, 0, 0, 1, 2};
  s.logits = {2, 1, 0, 0, 3, 1, 5, 5, 4, -1, -3, -2, 0, 1, 2};  // of equal ones the first
  EXPECT_EQ(confusion_of(s).value(), (Confusion{{2, 1, 0}, {1, 0, 0}, {0, 0, 1}}));
  s.logits[4] = NAN;
  EXPECT_FALSE(confusion_of(s));
}

// Everything called 0: nine of ten right, and no better than a coin.
TEST(BalancedAccuracy, IsTheMeanOfTheClassesRecalls) {
  const std::vector<float> none(10, -1.0F);
  const std::vector<Index> mostly_zero = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_DOUBLE_EQ(*classification_metric("accuracy", binary(none, mostly_zero)), 0.9);
  EXPECT_DOUBLE_EQ(*classification_metric("balanced_accuracy", binary(none, mostly_zero)), 0.5);
  EXPECT_DOUBLE_EQ(
      *classification_metric("balanced_accuracy", binary({1, -1, -1, 1}, {1, 1, 0, 1})),
      (1 + 2.0 / 3) / 2);
}

TEST(BalancedAccuracy, DoesNotExistWhereAClassIsMissing) {
  EXPECT_FALSE(classification_metric("balanced_accuracy", binary({1, 2}, {1, 1})));
}

// max_element of NaN is the first class: an accuracy of .5 that nobody reached.
TEST(Metrics, OfNanLogitsAreNoNumbers) {
  const float nan = std::nanf("");
  const Scored s = binary({1, nan, 3}, {0, 0, 1});
  EXPECT_FALSE(classification_metric("accuracy", s));
  EXPECT_FALSE(classification_metric("balanced_accuracy", s));
  EXPECT_FALSE(classification_metric("auc", s));
  EXPECT_TRUE(std::isnan(*classification_metric("loss", s)));
}

TEST(Loss, OfEvenLogitsIsTheLogOfTheNumberOfClasses) {
  Scored s;
  s.n_classes = 5;
  s.logits.assign(15, 3.0F);
  s.target = {0, 4, 2};
  EXPECT_NEAR(*classification_metric("loss", s), std::log(5.0), 1e-15);
  EXPECT_DOUBLE_EQ(*classification_metric("accuracy", s), 1.0 / 3);  // the first of equals
}

TEST(Loss, OfAHugeMarginIsFinite) {
  EXPECT_NEAR(*classification_metric("loss", binary({1e4F, -1e4F}, {0, 0})), 5000, 1e-9);
}

}  // namespace
}  // namespace attune
