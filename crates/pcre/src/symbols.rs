//! Bytes as symbols: what a filter over many patterns tells apart, and how often ordinary text has it.
//!
//! A filter may let too much through but never too little, so it need not tell a letter from its capital, one digit from
//! another, or blanks from line breaks. Sixty-two symbols remain, few enough for small tables, and sets of strings
//! over them are many times smaller than over bytes.

/// How many symbols there are.
pub const SYMBOLS: usize = 62;

/// The symbol of each byte: printable ASCII one each, without digits and in one case; a digit; a control character; a
/// byte from 0x80 on. The blanks TAB, LF, VT, FF and CR are the symbol of the space.
pub static SYMBOL_OF: [u8; 256] = {
    let mut symbols = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        symbols[byte] = symbol_of(byte as u8);
        byte += 1;
    }
    symbols
};

const DIGIT: u8 = 59;
const CONTROL: u8 = 60;
const HIGH: u8 = 61;

/// [`SYMBOL_OF`] for constants.
pub(crate) const fn symbol_of(byte: u8) -> u8 {
    match byte {
        b'\t'..=b'\r' | b' ' => 0,
        b'!'..=b'/' => byte - b' ',
        b'0'..=b'9' => DIGIT,
        // Seven signs between the digits and the letters, then what stands between capitals and small letters.
        b':'..=b'@' => byte - b':' + 16,
        b'A'..=b'Z' => symbol_of(byte + 32),
        b'['..=b'~' => byte - b'[' + 23,
        0x80.. => HIGH,
        _ => CONTROL,
    }
}

/// How rare a symbol is at any place of an ordinary value, in half bits.
pub(crate) fn rarity(symbol: u8) -> u32 {
    u32::from(FIRST[usize::from(symbol)] - b'#')
}

/// How rare `next` is right behind `symbol`, in half bits.
pub(crate) fn rarity_after(symbol: u8, next: u8) -> u32 {
    u32::from(NEXT[usize::from(symbol)][usize::from(next)] - b'#')
}

/// How often bytes stand at any place of an ordinary value, ASCII case ignored: an estimate.
pub fn rate_of(bytes: &[u8]) -> f32 {
    let symbol = |byte: &u8| SYMBOL_OF[usize::from(*byte)];
    let first = bytes.first().map_or(0, |byte| rarity(symbol(byte)));
    half_bits(
        first + bytes.windows(2).map(|pair| rarity_after(symbol(&pair[0]), symbol(&pair[1]))).sum::<u32>(),
    )
}

/// How often a byte stands at any place of an ordinary value.
pub(crate) fn byte_rate(byte: u8) -> f32 {
    let among = match byte {
        b'0'..=b'9' | b'A'..=b'Z' => 7,
        0x80.. | ..b' ' | 0x7f => 14,
        _ => 0,
    };
    half_bits(rarity(SYMBOL_OF[usize::from(byte)]) + among)
}

/// Two to the power of minus half of `bits`.
pub(crate) fn half_bits(bits: u32) -> f32 {
    let whole = f32::from_bits((127u32.saturating_sub(bits / 2)) << 23);
    if bits.is_multiple_of(2) { whole } else { whole * std::f32::consts::FRAC_1_SQRT_2 }
}

/// -2 log2 of each symbol's frequency, as a printable character from `#` on, in the harmless requests of
/// `../shared/detection/dev.jsonl` (names and values of arguments and headers, bodies: 514 kB). Only estimates hang on
/// it, never what is let through for good.
static FIRST: &[u8; SYMBOLS] = b")9/89154558312001673679686>46+/--*//.,21-.,,.4,,+.102/34<4=+12";

/// The same for each symbol behind another, smoothed by `FIRST` with the weight of twenty sightings.
#[rustfmt::skip]
static NEXT: [&[u8; SYMBOLS]; SYMBOLS] = [
    b"(<,86=651=7=?3568>:67<7166C54*-,..-/.+33.-/,-4.,*/1-717/91>/=4",
    b"&(/?@8<2+*?:8-778=-,=1@+?2E;=26441265398453/5;13252296:;C;D229",
    b".K670=78;27=)651'5HD132=8/KE7.1..//1/.310//0-//,,//1;4=7K-K,-:",
    b"(A3,A:4<==@;9:889>?;>?A-@>G4>//1000330432*/20<21060/)7<4E<E'-:",
    b"-A6@A9<</3?:99188=>:>?A=0=F;312))2665):945.15;)+1+87:7;+D;D)99",
    b"3H>GH@DCDDGB@A:?@EEBEFHE4EKCE01.<2>>=;A@<=;;4C;88=5?A:BCKCK#@A",
    b",E:,E=2@AAC>==;<=AB?BCEADAJ/A(-)--+.92>=..,7+0-+.+-/>;.?H?H7==",
    b"*F2EE>A)B6D6584=735?CC488BK@B-//.14751?=-.0048,&)0.2?7@@I@I132",
    b"3D-*-</75*4><=/0<A7>AB44CAJ52-0--1,0+*5,+1/..?/,-210=3??2?H+/5",
    b"%D/CD<@?7-C3,=*03+5>75D550I?34:585::57=<89579?77696;=:>?7?H6(=",
    b"%B/AB:>=>1';:;1,,??<?@B?A?G=?/2//2/231;:22120<0/0249;2<=E=F1-:",
    b"1G7FG-4B94E0?595?CDAD7GD6DKAC*,,-.---+,1.-.,-3/+*/1,303BJBK+??",
    b"$H0GH@D4DDGB@:8?@EFBEFHEGEKCE::698>8:;A:<=75=C;98=::A>CCK;K1)A",
    b"*H8GH4CC:7:2:+>?@:E:2:HD7DKB:,-,..+01043.//0/5--),1,143:8CK(/:",
    b"'J0II032:79/7<+2AF2CG:<F<FK:F/1+1,31..5210/./:2/0032438<KDK'.B",
    b"0I3<<AED:459AB2*;<FC616F<:K58+0+--1,0,*1.//0,2-+-.---54;<54*8B",
    b"$I2H9ADC759B@69*/E93F;H;9EK;E631226>519@:8/13C6062@53?;5KCK-,A",
    b"$D:4D<46@@B=<6:;6@A>ABD6CAI>@1-1053/52=<21612>1-/213=:>?G?G6*<",
    b",-9BC;31??B=;<:&;@5=5,C@B@H3@-5..//94+3;.3,2,>.,+45,<9=>F>G3;<",
    b"+G*F7+.ABBE@>/87>44.3DFC.9K7C./-/,-,--/10-1-.42..-11321AJA9(??",
    b")C96C;?>45B=;<5:;@%52A/@B.H>@0112152-05511443>2200;3<3=>F.G+,<",
    b"(21AB:5032A<:;44452<+5B?A?G=?*2+2-287.440425,0)+/)19+8<=E5F3+;",
    b"/A6@@9<;==?:83188=>:>>A=?=F;=%/,5)21*,/9/-13233,,521:.;;D;D399",
    b"0D*1D<?>@@B=<0:;;@/=A461C-3>+,2,.201,163/24103.-./.:6:>(G>G+)<",
    b"1B$A1:=<>>@;:48/9>?;??B>->G<>021333760;:56(234213,98;8<1E1E4/:",
    b"+D+CC<?>)261(<.;.3A0/AD*6.I>4658859984=<78668>6158;:=:>6G(G6(<",
    b",<2;<48788;6453.49/%9:</;9A7/.200-221/5401//17//.1435277@7@-55",
    b"2F7EF56ABBD?44<=>BC@6DFCECK-6,-+/.,-.*3/.++0-0,)),11546AIAI,6>",
    b")D961<?660B=11.624A=ABD@C,63&/--002/13.030343>+,.543=0>6G>G3+6",
    b",?5KK189=9?4634379?5??A6=KK9K3.,,41-3-40++)6,7*+)//04.3@KIK.<G",
    b"0J3I=.6<;7I561/475<3G;=GIGK5<*//0(001+/1*01)13--1*214,4E=EK*<C",
    b"/;4:K198;9?2543069=7I==I?=K6I)2-1)13*,/,.43(35,/*.55625G<8K,;E",
    b"'8.<K.5433:00201169.37>>88K2:+01.(113+45011,35-.4/215,4GK:K,4:",
    b"(:/KK14466<113.226;146@K;8K38,1-,./25185--*2/3)*+4/0.07@B8B/49",
    b"(=5JJ/6=76I1502558H3H8KGJG32G+000*,33)53.12)31+1-,32314EKE5+6=",
    b"(84JK2463581/2/034=1:6==:7K37,104'2/++45.1/,23*,1-14213;==K/48",
    b"+;3KK5:86:>3422588>FI>K;>>K3;)142&544*35222)20/3+/55603G>GK155",
    b"/K:K@785J9K5=7826>K9K@@K>@K9J.0*,,..722/+-(*05-*)3/6251IKIK0@F",
    b"5G9FG496CCF5?626?8DADEGDFDK6D,001+1/,-/0.//*-/-'0*.01/-BJBK*?5",
    b"*60GH23275G103/26;;618HEG9K3E-101'1/.)22.0--/42,1,2.1/0CKCK,5A",
    b"*;1:K45488K2110355?456KI79K3;+31,(135)53*.2+264..-327+4G?4K14E",
    b"+>2KK2747:>5402.79>055KH>5K/>)/3/'125+24-.1**62-1.335/2FK>5/86",
    b")82KK34087@1121-28:2789J68K6;,5,*+0)5-4014/+263,)/033.5@>:K16:",
    b"+<4KK5<6>5K466338=<;><>K@KK6>00/+1,.4/50-+(--7)-,*..434I=IK378",
    b"-K1KK49<6:J564/111>254>:47K48*20/)44--54)33**6*,,-44222FKFK07D",
    b"324EF83A2BD6>4-418C.CDFCE6K48.///00/0,0/*////1/0,'//../AIAJ*>>",
    b"*;1@K36455=324034:=77:7>:7K38*3..(0,4*60../*17.+,/046-6=>@K167",
    b"'9.>K0566480/3...7:385;695K36.4.5*24-+71111+.42,).52725:>HK037",
    b")70KK24166;21/0228=267<K>8K17+605)36()76//4+/7---.626-5IA>K25:",
    b".;2JK4>2G7J5:44674I<H8KHJHK9>.--/+1.4-41*,*2,5)))543112FKFK/<:",
    b"3I61I;;8EEG5A6721;F5FGIF;;K7;)1.0&402(21112-33112022101DK;K+;A",
    b"+85IJ37759H43./508<4G5JFIFK4:*232)11*)221.-*2/.-121+321DKDK-88",
    b",G3FG2::8:F24+-/4/82D6GDF8K16)0.0-01/-00.+//+0/.*0.20/1BJBK*6@",
    b"&5-IJ.4167=/.3-329;/148GI;K27/122-343..30,0**32-/24/120EKEK-49",
    b"/F-EF346BBE3>442868@C8FCE5K3C+/+-*/..*..-,/,0./,.-/-/,-AIAJ+88",
    b"(F%8E>A@BBD?>1<2=B1?CCF50BK@B4<3711;46?617/843607:=<?<@-I-I6(>",
    b"&>3=06990:<76.456:;8;<>:=:C8:0-/-,/3/.062200281.,3507480)8A++6",
    b"(E+D7=A@A.D?'75474B?BCEB/)J@77;996;;98>=9:87:@887:=<>;?@H(I7(>",
    b"+=3<=.0899<7564,5:;7:;=:<:C0:)/1,-/320,.--.0/8.0/-546388A8A'66",
    b".K/?A-09:1=20/,13164K6:K95K6:----.-22023101112200221121I;4=%38",
    b"%5308@D:78,8@.81@E1B:FH0G4K:-/2101132/6522731710-342A4B16/K/(A",
    b"+H>GH@CCD8:A6:3664EBEFHDGDKBD85664=653A@47149B2135?>A>BCKCK56#",
];
