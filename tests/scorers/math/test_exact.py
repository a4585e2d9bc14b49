"""The recommended grader, form by form: what it accepts and what it refuses. ``gold | answer``."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scorers.math.exact import decide, normalise

SAME = r"""
42|**42**
42 \text{ cm}|**42** cm
\text{Friday}|**Friday**
\text{D}|"D"
19, 22|\[19, 22\]
15,600|\(15,600\)
(0,1)\cup(2,3)|(0, 1) U (2, 3)
3:1|3\text{:}1
12\text{ cm}^2|12 cm²
144 \mbox{ m}^3|144 m^3
3 \text{ meters per second}|3 m/s
300000|3 x 10^5
3|\log_2 8
3.5|x \approx 3.5
\text{no}|No.
\emptyset|\text{no solution}
\{2\}|x = 2
25|twenty-five
36|3 dozen
\$1,200,000|\$1.2 \text{ million}
\text{(C)}|C)
\text{(C)}|(C) 5
\text{(C)}|\textbf{(C)}\ 5
\frac{1}{3}|P(A)=\frac13
\frac{1}{3}|P(A) = 1/3
\frac{1}{3}|P(\text{heads}) = 1/3
5|AB = 5
5|\overline{AB} = 5
12|[ABC] = 12
12|\text{Area} = 12
\frac12|\cos A = \frac{1}{2}
\frac12|\sin \theta = \frac{1}{2}
5|a_n = 5
5|n = 5 \text{ cm}
60^\circ|m\angle A = 60^\circ
60^\circ|\angle ABC = 60
5|\text{The answer is } 5
5|\text{There are } 5 \text{ ways}
5|5 \text{ (five)}
45\text{ mph}|45 miles per hour
45\text{ mph}|45\text{ mi/h}
66\text{ feet per second}|45 mph
45^\circ|\frac{\pi}{4} \text{ radians}
45^\circ|\frac{\pi}{4}
\frac{\pi}{4}|\frac{\pi}{4}\text{ rad}
\frac{\pi}{4}|45^\circ
\text{odd}|ODD
\text{odd}|Odd
2,3|x=2 \text{ or } x = 3
2,3|x_1=2, x_2 = 3
2,3|\{x \mid x = 2, 3\}
2,3|x \in \{2,3\}
(2,3)|x=2, y=3
(2,3)|x = 2 \text{ and } y=3
(2,3)|\text{the point } (2,3)
(2,3)|P = (2,3)
(2,3)|\langle 2, 3 \rangle
[2,3]|2 \le x \le 3
[2,3]|\{x : 2 \le x \le 3\}
[2,3]|\{x \in \mathbb{R} \mid 2 \le x \le 3\}
[2,3]|3 \ge x \ge 2
(2,\infty)|x > 2
(-\infty,2) \cup (3,\infty)|x<2 \text{ or } x>3
(-\infty,2) \cup (2,\infty)|x \ne 2
(-\infty,2) \cup (2,\infty)|\mathbb{R} \setminus \{2\}
(-\infty,\infty)|\mathbb{R}
(-\infty,\infty)|\text{all real numbers}
\frac{\sqrt{3}}{3}|\frac{1}{\sqrt{3}}
\frac{\sqrt{3}}{3}|3^{-1/2}
\frac{\sqrt{3}}{3}|\tan 30^\circ
\sqrt{6}-\sqrt{2}|\frac{4}{\sqrt6+\sqrt2}
\frac{\sqrt6+\sqrt2}{4}|\cos 15^\circ
\frac{\sqrt6+\sqrt2}{4}|\sqrt{\frac{2+\sqrt3}{4}}
\log_2 3|\frac{\ln 3}{\ln 2}
\ln 12|2\ln 2 + \ln 3
\sin 2x|2 \sin x \cos x
\tan^2 x|\sec^2 x - 1
\cos 2x|1-2\sin^2 x
2^{2005}|2 \cdot 2^{2004}
2^{10}|1024
10!|3628800
\binom{5}{2}|10
1.5 \times 10^6|1500000
3 \times 10^{-4}|0.0003
1500000|1.5e6
0.\overline{3}|\frac13
\frac13|0.333\ldots
1+2i|2i+1
1+2i|1 + 2\mathbf{i}
\begin{pmatrix}1\\2\end{pmatrix}|(1,2)
\begin{pmatrix}1\\2\end{pmatrix}|[1,2]
\begin{pmatrix}1&2\\3&4\end{pmatrix}|[[1,2],[3,4]]
3\frac12|7/2
y=2x+1|2x - y + 1 = 0
y=2x+1|y-1=2x
x^2+y^2=4|x^2 + y^2 - 4 = 0
10\%|0.1
10\%|10 \text{ percent}
\$32,\!348|\$32,348.00
12.50|\$12.5
7:30|7:30 \text{ am}
3:4|3 \text{ to } 4
3:4|\frac{3}{4}
\text{(A)}|A
\text{(A)}|\text{Option A}
864 \mbox{ inches}^2|864 \text{ in}^2
864 \mbox{ inches}^2|864 \text{ square inches}
864 \mbox{ inches}^2|6 \text{ square feet}
x = 4|4
5x - 7y + 11z + 4 = 0|-5x+7y-11z-4=0
f(x)=x^2|x^2
x^2|y=x^2
1,2,3|\{3,2,1\}
-3|−3
8|\approx 8
8|8.
\dfrac{17}{50}|\dfrac{17}{50} = 0.34
25|5^2 = 25
25|5^{2}
6|1+2+3
n|n
\text{none}|\text{None}
17x-13|-13+17x
(x^2 + 1)(x^2 - 4x + 13)|x^4-4x^3+14x^2-4x+13
\frac{h^2}{m}|h^2/m
\frac{h^2}{m}|h^2m^{-1}
12\text{ and }13|13 and 12
f(2) < f(1) < f(4)|f(4) > f(1) > f(2)
10{,}000|10^4
11\sqrt2|11 \times \sqrt{2}
2\sqrt[3]{2}|\sqrt[3]{16}
2\sqrt[3]{2}|2 \cdot 2^{1/3}
12|twelve
20|20\%
e^2|e \cdot e
1|\sin^2 x+\cos^2 x
(3, \frac{\pi}{2})|(3, 90^\circ)
6 - 5i|6+(-5i)
70,110|110, 70
\frac{1}{2}|{1 \over 2}
-\frac{1}{2}|-{1 \over 2}
(-\infty,2)\cup(3,\infty)|(-\infty,2) \bigcup (3,\infty)
\frac{1}{6}|0.1666...
250|2.5e+2
2e|e \cdot 2
3032_5|3032_{5}
3032_5|3032_{\text{five}}
3032_5|(3032)_5
3032_5|3032 \text{ (base 5)}
50\%|50
50\%|0.5
50\%|\frac{1}{2}
30^\circ|30
30^\circ|\frac{\pi}{6}
30^{\circ}|30\text{ degrees}
1,234|1234
1{,}234|1,234
12,\!345|12345
70,110|70, 110
(3,4)|3,4
(3,4)|\left( 3, 4 \right)
(3,4)|x=3, y=4
(3,4)|(x,y)=(3,4)
1,-2|-2,1
1 \pm \sqrt{19}|1+\sqrt{19}, 1-\sqrt{19}
1 \pm \sqrt{19}|x=1 \pm \sqrt{19}
[2,5)|2 \le x < 5
[2,5)|5 > x \ge 2
x \in [-2,7]|[-2,7]
x \in [-2,7]|-2 \le x \le 7
(-\infty, 2) \cup (3, \infty)|x<2 \text{ or } x>3
(-\infty, 2) \cup (3, \infty)|(3,\infty)\cup(-\infty,2)
(-\infty,3)\cup(3,\infty)|x \neq 3
(-\infty,3)\cup(3,\infty)|\mathbb{R} \setminus \{3\}
y = 2x + 3|2x - y + 3 = 0
y = 2x + 3|2x+3
4x-5y=-50|y = \frac{4}{5}x + 10
\frac{x^2}{16} - \frac{y^2}{9} = 1|9x^2-16y^2=144
f(2) < f(1) < f(4)|f(4)>f(1)>f(2)
\text{(E)}|E
\text{(E)}|(E)
\text{Friday}|friday
\text{1:03 PM}|1:03 p.m.
\text{4:30 p.m.}|4:30 PM
9\text{ a.m.}|9:00 a.m.
3:1|\frac{3}{1}
1:2|1/2
3\frac12|\frac{7}{2}
3\frac12|3 1/2
3\frac12|3.5
15\mbox{ cm}^2|15
15\mbox{ cm}^2|15 \text{ square centimeters}
15\mbox{ cm}^2|15 cm^2
118 \text{ dollars}|\$118
\$0.50|50 cents
25 \text{ ft}|25 feet
\begin{pmatrix} 1 \\ 2 \end{pmatrix}|(1,2)
\begin{pmatrix} 1 \\ 2 \end{pmatrix}|\begin{bmatrix}1\\2\end{bmatrix}
\begin{pmatrix} 1/7 & 2 \\ 3& 4\end{pmatrix}|[[1/7,2],[3,4]]
\begin{pmatrix} 1/7 & 2/7 \end{pmatrix}|\frac{1}{7}\begin{pmatrix} 1 & 2 \end{pmatrix}
2\sqrt{3}|2*sqrt(3)
\frac{\sqrt{3}}{3}|\frac{1}{\sqrt3}
\text{B, E, G}|G, B, E
\{1\pm\sqrt{5},-2\}|1+\sqrt5, 1-\sqrt5, -2
\{1\pm\sqrt{5},-2\}|\{-2, 1-\sqrt5, 1+\sqrt5\}
12\text{ and }13|12, 13
111, \! 111, \! 111|111,111,111
\sin 2x|2\sin x\cos x
\cot x|\frac{\cos x}{\sin x}
\frac{1}{2004!}|1/2004!
\cos 24^\circ|\cos(24^{\circ})
5|x=5
5|$5$
5|\boxed{5}
5|5.
5|5.00
\frac{1}{3}|0.\overline{3}
1500|1.5 \times 10^3
\overline{CD}|CD
\{-9\} \cup [2,9)|[2,9)\cup\{-9\}
-\$0.50|-0.5
5|five
8 \text{ days}|8
\frac{3}{4}\pi\text{ inches}|\frac{3\pi}{4}
\sqrt{x^2+2x+1}|x+1
2(x-3)(x+3)|2x^2-18
\emptyset|\{\}
864 \mbox{ inches}^2|864 square inches
-\frac{3}{2}, -1, 7|7, -1, -1.5
0.0011_{2}|0.0011_2
e^{2x}|\exp(2x)
x^3+x-1|-1+x+x^3
6 + 8i, 6 + 17i|6+17i, 6+8i
10\%|10 percent
5 \text{ cm}|5\,cm
16 \text{ ways.}|16
"""

DIFFERENT = r"""
11/2|1 1/2
12|3 4
34|3, 4
3|3 dozen
3|3 million
5|5 feet 3 inches
2|2 hours 30 minutes
\text{ACF}|AFC
\{2\}|x = 3
\text{(C)}|(D) 5
5|x \approx 6
9|**3**2
45\text{ mph}|45\text{ km/h}
45^\circ|45 \text{ radians}
\text{odd}|\text{even}
(2,3)|x=3, y=2
\cos 2x|1-\sin^2 x
1500000|1.5e5
\frac13|0.333
1+2i|1-2i
\begin{pmatrix}1\\2\end{pmatrix}|(2,1)
3\frac12|3/2
y=2x+1|y=2x-1
10\%|0.01
864 \mbox{ inches}^2|864 \text{ inches}
864 \mbox{ inches}^2|864 \text{ inches}^3
x^2|y^2
1,2,3|1,2,4
\frac{h^2}{m}|h^2/n
f(2) < f(1) < f(4)|f(1) < f(2) < f(4)
3032_5|392
20|2\%
b|B
\$5|€5
3032_5|3032_6
3032_5|3042_5
[2,5)|(2,5]
[2,5]|(2,5)
(3,4)|(4,3)
y = 2x + 3|y=2x+4
y = 2x|x=2y
4x-5y=-50|4x-5y=50
4x-5y=-50|5x-4y=-50
50\%|5\%
0.5|0.5\%
\frac{1}{3}|0.33
\sqrt{2}|1.41
3\frac12|\frac{3}{2}
\frac{1}{23}|\frac{12}{3}
2(3)|23
5|500
5|0.05
5|50
1,234|1,243
1,2|12
\text{even}|\text{odd}
5 \text{ cm}|5 \text{ cm}^2
\text{1:03 PM}|1:03 AM
3:1|1:3
\{1,2\}|(1,2)
\begin{pmatrix} 1 \\ 2 \end{pmatrix}|\begin{pmatrix} 1 & 2 \end{pmatrix}
\begin{pmatrix} 1 \\ 2 \end{pmatrix}|(2,1)
\cos 24^\circ|\cos 24
10^{20}|10^{20}+1
9^9^9^9|1
x+1|x-1
f(2) < f(1) < f(4)|f(1)<f(2)<f(4)
(-\infty, 2) \cup (3, \infty)|(-\infty, 2] \cup (3, \infty)
x=5|y=5
1,-2|1,2
1,-2|1
\pi|3.14
-\frac{3}{2}|\frac{3}{2}
2\sqrt{3}|3\sqrt{2}
\sqrt{12}|\sqrt{13}
3+4i|3-4i
x \in [-2,7]|[-2,7)
\text{(E)}|(D)
x/2|7
m/s|4
"""


def rows(text: str) -> list[tuple[str, str]]:
    return [(gold, answer) for gold, _, answer in (line.rpartition("|") for line in text.strip().splitlines())]


@pytest.mark.parametrize(("gold", "answer"), rows(SAME))
def test_equivalent(gold: str, answer: str) -> None:
    assert decide(answer, gold).equal is True
    assert decide(gold, answer).equal is True


def test_only_the_answer_may_leave_its_base_out() -> None:
    assert decide("3032", "3032_5").equal is True
    assert decide("3032_5", "3032").equal is False
    assert decide("4_5", "4").equal is True


def test_a_choice_in_a_small_letter() -> None:
    assert decide("(c)", "\\text{(C)}").equal is True
    assert decide("X", "x").equal is False


@pytest.mark.parametrize(("gold", "answer"), rows(DIFFERENT))
def test_different(gold: str, answer: str) -> None:
    assert decide(answer, gold).equal is False


@pytest.mark.parametrize(
    ("answer", "gold", "rule"),
    [
        ("0.5", "\\frac12", "exact value"),
        ("(2,1)", "(1,2)", "each part in order"),
        ("[1,2]", "(1,2)", "open or closed brackets"),
        ("3032_6", "3032_5", "digits and base"),
        ("5", "5 \\text{ cm}", "same expression, unit left out"),
        ("5 \\text{ m}", "5 \\text{ s}", "another unit"),
        ("\\sin 2x", "2 \\sin x \\cos x", "values at points"),
        ("1/0", "3", "undefined"),
        ("9^9^9^9", "1", "too large to compute, and written differently"),
        ("x" * 5000, "1", "too long or too deep, and written differently"),
        ("y = 2x + 1", "y = 2x", "equations in proportion"),
        ("2, 1, 3", "1, 2", "number of answers"),
        ("Tuesday", "\\text{Monday}", "words"),
    ],
)
def test_the_rule_that_decided(answer: str, gold: str, rule: str) -> None:
    assert decide(answer, gold).rule == rule


@pytest.mark.parametrize(("answer", "said"), [("\\dfrac{4}{8}", "1/2"), ("$0.5$", "1/2"), ("\\tfrac12 x", "frac 12 x")])
def test_one_spelling(answer: str, said: str) -> None:
    assert normalise(answer) == said


@settings(deadline=None, max_examples=300)
@given(st.text(), st.text())
def test_any_text(answer: str, gold: str) -> None:
    assert decide(answer, gold).equal in (True, False, None)
    assert decide(answer, answer).equal is bool(answer.strip())
    normalise(answer)


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="0123456789+-*/^(){}[],.=<>|\\fracsqrtpix_!% ", max_size=60))
def test_any_mathematics(answer: str) -> None:
    assert decide(answer, "7").equal in (True, False, None)
