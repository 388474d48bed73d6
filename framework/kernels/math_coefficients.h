#pragma once

#include <array>

// Constants of math.h, one specialisation a type. Polynomials are Remez minimax fits made with 50
// digits, lowest order first; beside each stand what it approximates, where, and the fit's greatest
// relative error (an ulp is at least 6e-8 or 1.1e-16). Reduction constants come in parts, the
// leading one of which multiplies exactly under fma.
namespace attune::kernels::detail {

template <class Real>
struct MathConstants;

template <>
struct MathConstants<float> {
  static constexpr int kMantissaBits = 23, kExponentBias = 127;
  static constexpr float kRound = 0x1.8p23F;  // x + kRound holds round(x) in its low bits
  static constexpr float kSmallestNormal = 0x1p-126F;

  // (2^f − 1)/f on [−½, ½]; 2.6e-9
  static constexpr std::array<float, 6> kExp2 = {0x1.62e432p-1F, 0x1.ebfbe2p-3F,  0x1.c6ae72p-5F,
                                                 0x1.3b270ep-7F, 0x1.5f7276p-10F, 0x1.470ae6p-13F};
  // (e^f − 1 − f)/f² on ±½ ln 2; 3.1e-9
  static constexpr std::array<float, 5> kExp = {0x1.fffffcp-2F, 0x1.555492p-3F, 0x1.5558f2p-5F,
                                                0x1.1239e2p-7F, 0x1.6a2464p-10F};
  static constexpr float kExpLow = -87.3F, kExpHigh = 89.0F;
  static constexpr float kLog2e = 0x1.715476p0F, kLn2High = 0x1.62e300p-1F,
                         kLn2Low = 0x1.2fefa4p-17F;
  // (2 atanh(s) − 2s)/s³ in z = s², s up to (√2 − 1)/(√2 + 1); 9.6e-12
  static constexpr std::array<float, 4> kLog = {0x1.555554p-1F, 0x1.999a7cp-2F, 0x1.2438aap-2F,
                                                0x1.e2fdb4p-3F};
  // (tanh(x) − x)/x³ in z = x² on [0, .625]; 4.1e-9
  static constexpr std::array<float, 5> kTanh = {-0x1.555534p-2F, 0x1.110768p-3F, -0x1.b8444ap-5F,
                                                 0x1.5256dcp-6F, -0x1.76ac26p-8F};
  // erf(x)/x − 1 in z = x² on [0, 1]; 1.2e-9
  static constexpr std::array<float, 7> kErf = {0x1.06eba8p-3F,  -0x1.81273ep-2F, 0x1.ce2d20p-4F,
                                                -0x1.b7fbb4p-6F, 0x1.5419f2p-8F,  -0x1.a485d0p-11F,
                                                0x1.4ae484p-14F};
  // Φ(−x)/φ(x)/t in u = 2t − 1, t = 1/(1 + kMillsScale·x), x on [0, 14]; 1.2e-8
  static constexpr float kMillsScale = 0.265F, kMillsEnd = 14.0F;
  static constexpr std::array<float, 9> kMills = {
      0x1.feb170p-2F,   0x1.916de4p-2F,  0x1.e4b72cp-3F,   0x1.a55228p-4F, 0x1.ae6f1ep-6F,
      -0x1.671b90p-12F, -0x1.6db63ap-9F, -0x1.ae177ap-12F, 0x1.3c70b2p-12F};
  // (sin(r) − r)/r³ and (cos(r) − 1 + r²/2)/r⁴ in z = r² on ±π/4; 5.4e-12 and 1.1e-13
  static constexpr std::array<float, 4> kSin = {-0x1.555556p-3F, 0x1.111108p-7F, -0x1.a00f32p-13F,
                                                0x1.6cbed2p-19F};
  static constexpr std::array<float, 4> kCos = {0x1.555556p-5F, -0x1.6c16b8p-10F, 0x1.a010c4p-16F,
                                                -0x1.2417e2p-22F};
  static constexpr std::array<float, 3> kHalfPi = {0x1.921fb6p0F, -0x1.777a5cp-25F,
                                                   -0x1.ee59dap-50F};
  static constexpr float kTrigonometricEnd = 0x1p22F;
};

template <>
struct MathConstants<double> {
  static constexpr int kMantissaBits = 52, kExponentBias = 1023;
  static constexpr double kRound = 0x1.8p52;
  static constexpr double kSmallestNormal = 0x1p-1022;

  // 5.7e-20
  static constexpr std::array<double, 12> kExp2 = {
      0x1.62e42fefa39efp-1,  0x1.ebfbdff82c58fp-3,  0x1.c6b08d704a0d6p-5,  0x1.3b2ab6fba4ea8p-7,
      0x1.5d87fe78a130cp-10, 0x1.430912f859927p-13, 0x1.ffcbfc7ac3915p-17, 0x1.62c0229a6db12p-20,
      0x1.b524d0ea2e941p-24, 0x1.e4cd9d5e31d43p-28, 0x1.ea1423398860ap-32, 0x1.c6d9cdd861e2ep-36};
  // 3.6e-18
  static constexpr std::array<double, 10> kExp = {
      0x1.000000000000ap-1,  0x1.55555555554fap-3,  0x1.555555555087cp-5,  0x1.1111111127bc1p-7,
      0x1.6c16c1842a2ddp-10, 0x1.a01a012a61a12p-13, 0x1.a0199a0c19ccfp-16, 0x1.71df253f8af97p-19,
      0x1.28ad731740566p-22, 0x1.ad7f88b9dd914p-26};
  static constexpr double kExpLow = -708.5, kExpHigh = 709.8;
  static constexpr double kLog2e = 0x1.71547652b82fep0, kLn2High = 0x1.62e42feep-1,
                          kLn2Low = 0x1.a39ef35793c76p-33;
  // 2.5e-18
  static constexpr std::array<double, 7> kLog = {
      0x1.5555555555593p-1, 0x1.999999997fb35p-2, 0x1.24924942177b2p-2, 0x1.c71c51e80c67ep-3,
      0x1.7466462a115abp-3, 0x1.39a0f51712293p-3, 0x1.2f0d8f54891f6p-3};
  // 9.6e-18
  static constexpr std::array<double, 11> kTanh = {
      -0x1.5555555555503p-2,  0x1.111111110b0c6p-3,  -0x1.ba1ba1b53100fp-5,  0x1.664f4781f6d5bp-6,
      -0x1.226e16da08b91p-7,  0x1.d6cf3ca62974fp-9,  -0x1.7d696a7a8c700p-10, 0x1.336ae63a985d0p-11,
      -0x1.df7a8bf997a77p-13, 0x1.43e17c8404d35p-14, -0x1.0e3d6e428d4fcp-16};
  // 1.3e-19
  static constexpr std::array<double, 13> kErf = {
      0x1.06eba8214db69p-3,  -0x1.812746b0379e6p-2,  0x1.ce2f21a042b34p-4,  -0x1.b82ce31284f38p-6,
      0x1.565bcd0dbd920p-8,  -0x1.c02db3db49905p-11, 0x1.f9a321e4be396p-14, -0x1.f4d1e4355e24fp-17,
      0x1.b9df3066e20fep-20, -0x1.5f1f41608c1ffp-23, 0x1.f7b9a24bdfaedp-27, -0x1.38ac32d8ed0fdp-30,
      0x1.0627890b92f2dp-34};
  // x on [0, 39]; 2.0e-17
  static constexpr double kMillsScale = 0.25, kMillsEnd = 39.0;
  static constexpr std::array<double, 23> kMills = {
      0x1.e4aa012912ddep-2,  0x1.8615d9b49165cp-2,  0x1.f0d9856bc3b77p-3,   0x1.dec30ee679569p-4,
      0x1.360ce2601ab57p-5,  0x1.35aa3c9482809p-8,  -0x1.1dcfea71f9715p-9,  -0x1.0be6d64f3504dp-10,
      0x1.5e7b10a426c22p-14, 0x1.2fb42bf6e50dep-13, -0x1.40ee86caa95a7p-20, -0x1.717e9c9b1cb14p-16,
      0x1.e11586b000425p-22, 0x1.f1ec56c69d50cp-19, -0x1.a4b2376e4dcf4p-22, -0x1.57c99850c8240p-21,
      0x1.637b76aee98cep-23, 0x1.a576a35b15b04p-24, -0x1.9f9e9577732a2p-25, -0x1.5a002eee779f7p-27,
      0x1.3ac61f4de4160p-27, 0x1.d33cc1179196ep-33, -0x1.9c38695088c6cp-31};
  // 4.0e-18 and 5.5e-20
  static constexpr std::array<double, 6> kSin = {-0x1.5555555555547p-3,  0x1.111111110f5f0p-7,
                                                 -0x1.a01a019bbd202p-13, 0x1.71de352c0e7e7p-19,
                                                 -0x1.ae5e295430a01p-26, 0x1.5d80eb1866906p-33};
  static constexpr std::array<double, 6> kCos = {0x1.555555555554ap-5,  -0x1.6c16c16c14ebep-10,
                                                 0x1.a01a019c6a5f1p-16, -0x1.27e4f7d4a46c1p-22,
                                                 0x1.1ee9c69d13465p-29, -0x1.8f9acbcf13191p-37};
  static constexpr std::array<double, 3> kHalfPi = {0x1.921fb54442d18p0, 0x1.1a62633145c07p-54,
                                                    -0x1.f1976b7ed8fbcp-110};
  static constexpr double kTrigonometricEnd = 0x1p40;
};

}  // namespace attune::kernels::detail
