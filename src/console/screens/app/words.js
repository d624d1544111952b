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
