// The page's own words. Content brings its words in both languages itself.

const WORDS = {
    'zh-CN': {
        title: '云货架',
        home: '返回全部商品',
        all: '全部商品',
        stock: '现货 {n} 件',
        soldout: '暂时无货',
        favour: '收藏',
        favoured: '已收藏',
        take: '带到手机',
        scan: '用手机扫一扫，把这件商品带走',
        scanned: '已扫码 ✓',
        expired: '二维码已过期',
        buy: '我要购买',
        bought: '好的，请稍候，店员马上到',
        lifted: '您拿起了这件商品',
        language: 'English',
        touch: '轻触屏幕，了解商品',
        away: '暂时无法连接',
        close: '关闭',
        identify: '屏幕',
        mirror: '试妆镜',
        shades: '色号',
        before: '试妆前 / 后',
        skin: '肌肤测试',
        sample: '领取小样',
        sampled: '好的，请到派样机扫会员码领取',
        approximate: '屏幕颜色仅供参考，以实物为准。画面只留在本机，离开后立即清除。',
        measuring: '请正对镜子，稍候……',
        measuredit: '测试完成',
        'light-clipped': '光线太强，请换个位置再试',
        'light-uneven': '光线不均匀，请正对光源',
        'light-dark': '光线太暗，请靠近光源',
        'light-no-face': '没有看到完整的脸，请正对镜子',
        tone: '肤色',
        'tone-very-light': '很浅',
        'tone-light': '浅',
        'tone-intermediate': '中等',
        'tone-tan': '偏深',
        'tone-brown': '深',
        'tone-dark': '很深',
        redness: '泛红（相对额头）',
        shine: '表面反光',
        spots: '可见斑点',
        lines: '眼角纹理',
        nearer: '请靠近一些',
        caveat: '由普通摄像头估算，受光线和妆容影响；不是医疗器械，不能诊断。水分、油脂、敏感度无法由摄像头测量。',
    },
    en: {
        title: 'Cloud shelf',
        home: 'All products',
        all: 'All products',
        stock: '{n} in stock',
        soldout: 'Not in stock now',
        favour: 'Favourite',
        favoured: 'A favourite',
        take: 'Take it along',
        scan: 'Scan with your phone to take this product along',
        scanned: 'Scanned ✓',
        expired: 'The code has expired',
        buy: 'I want to buy it',
        bought: 'Thank you, somebody will be with you',
        lifted: 'You have picked this up',
        language: '中文',
        mirror: 'Make-up mirror',
        shades: 'Shades',
        before: 'Before / after',
        skin: 'Skin test',
        sample: 'Get a sample',
        sampled: 'Please scan your member code at the sampling machine',
        approximate: 'Colours on a screen are approximate. The picture stays on this machine and is gone when you leave.',
        measuring: 'Please face the mirror …',
        measuredit: 'Done',
        'light-clipped': 'There is too much light: please try another place',
        'light-uneven': 'The light comes from one side: please face it',
        'light-dark': 'There is too little light: please come nearer to the lamp',
        'light-no-face': 'Your whole face is not to be seen: please face the mirror',
        tone: 'Tone',
        'tone-very-light': 'very light',
        'tone-light': 'light',
        'tone-intermediate': 'intermediate',
        'tone-tan': 'tan',
        'tone-brown': 'brown',
        'tone-dark': 'dark',
        redness: 'Redness (against the forehead)',
        shine: 'Surface shine',
        spots: 'Visible spots',
        lines: 'Lines beside the eyes',
        nearer: 'come nearer',
        caveat:
            'Estimated by an ordinary camera; light and make-up change it. No medical device, no diagnosis. Moisture, sebum and sensitivity cannot be seen by a camera.',
        touch: 'Touch the screen to look around',
        away: 'Not connected just now',
        close: 'Close',
        identify: 'Screen',
    },
};

let language =
    new URLSearchParams(location.search).get('lang') === 'en' ? 'en' : document.documentElement.lang || 'zh-CN';
if (!WORDS[language]) language = 'zh-CN';

export const lang = () => language;

export function setLang(to) {
    language = WORDS[to] ? to : 'zh-CN';
    document.documentElement.lang = language;
}

export const word = (key, n) => WORDS[language][key].replace('{n}', n);

/** Of a text of the content. */
export const said = (words) => (words ? words[language] || words['zh-CN'] || words.en || '' : '');
